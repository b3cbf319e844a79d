"""What is made of a picture: no metadata, thumbnails upright, animations bounded."""

import io
from base64 import b64decode

import pytest
from PIL import Image, ImageChops, ImageOps

from realtime.errors import InvalidError, TooLargeError
from realtime.images.decode import Limits, decode_image
from realtime.images.gif import clean_gif
from realtime.images.thumbhash import thumbhash_of
from tests.images.made_jpegs import exif_segment, with_segments
from tests.images.made_pictures import CAMERA, heic, place, saved, shapes, tiff

MEGA = 1_000_000
LIMITS = Limits(file_bytes=8 * MEGA, pixels=12 * MEGA, frame_pixels=20 * MEGA)
LARGE = (2000, 1500)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def frames(count: int, size: tuple[int, int], form: str = "GIF") -> bytes:
    """Return an animation whose frames all differ."""
    pictures = [
        Image.new("RGB", size, (n * 99 % 256, n * 55 % 256, 9)) for n in range(count)
    ]
    return saved(form, pictures[0], save_all=True, append_images=pictures[1:])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "HEIC"])
def test_nobody_learns_where_a_photo_was_taken(form: str) -> None:
    """Neither from the image nor from its thumbnails; its size is what was shown."""
    picture = shapes(LARGE)
    exif = b"Exif\0\0" + place()
    if form == "HEIC":
        data = heic(picture, exif=exif)
    else:
        data = saved(form, picture, exif=exif)
    assert CAMERA in data
    found = decode_image(data, LIMITS)
    for file in (found.data, *(each.data for each in found.thumbnails)):
        assert CAMERA not in file
        assert not opened(file).getexif().get_ifd(0x8825)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_thumbnails_are_upright(orientation: int) -> None:
    """Two of them, as wide and high as the picture is shown, and not mirrored."""
    data = with_segments(saved("JPEG", shapes(LARGE)), exif_segment(tiff(orientation)))
    found = decode_image(data, LIMITS)
    turned = orientation > 4
    assert (found.width, found.height) == (LARGE[::-1] if turned else LARGE)
    sizes = [(320, 240), (1280, 960)]
    assert [each[:2] for each in found.thumbnails] == [
        size[::-1] if turned else size for size in sizes
    ]
    expected = ImageOps.exif_transpose(opened(data)).convert("RGB")
    for each in found.thumbnails:
        image = opened(each.data).convert("RGB")
        assert image.size == each[:2]
        difference = ImageChops.difference(image, expected.resize(image.size))
        assert max(difference.resize((1, 1), Image.Resampling.BOX).tobytes()) < 5


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        ((320, 200), []),
        ((321, 200), [320]),
        ((1280, 9), [320]),
        ((9, 1281), [320, 1280]),
    ],
)
def test_no_thumbnail_is_larger_than_its_image(
    size: tuple[int, int], sides: list[int]
) -> None:
    """A small picture is its own; a long one has them one pixel wide, if need be."""
    found = decode_image(saved("PNG", Image.new("RGB", size)), LIMITS)
    assert [max(each[:2]) for each in found.thumbnails] == sides
    assert all(min(each[:2]) >= 1 for each in found.thumbnails)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_pictures_of_every_mode_have_thumbnails(mode: str) -> None:
    """See-through ones stay so; sixteen bits of grey are not all white."""
    picture = Image.linear_gradient("L").resize((640, 400))
    if mode == "I;16":
        picture = picture.convert("I").point(lambda grey: grey * 257)
    picture = picture.convert(mode)
    if mode.endswith("A"):
        picture.putalpha(200)
    found = decode_image(saved("PNG", picture), LIMITS)
    (small,) = (opened(each.data) for each in found.thumbnails)
    assert small.mode == ("RGBA" if mode.endswith("A") else "RGB")
    grey = small.convert("L").resize((1, 4), Image.Resampling.BOX).tobytes()
    assert all(abs(grey[n] - (32 + 64 * n)) < 12 for n in range(4)), list(grey)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_animations_stay_so(form: str) -> None:
    """All their frames are kept, and it is told that it moves."""
    found = decode_image(frames(5, (400, 300), form), LIMITS)
    assert found.animated
    assert getattr(opened(found.data), "n_frames", 1) == 5
    assert [each[:2] for each in found.thumbnails] == [(320, 240)]


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_an_animation_has_so_many_pixels_in_all(form: str) -> None:
    """A small file may be gigabytes of decoding to everybody who looks at it."""
    data = frames(21, (1000, 1000), form)
    assert len(data) < 200_000
    with pytest.raises(TooLargeError) as caught:
        decode_image(data, LIMITS)
    assert caught.value.limit == "image_limit_frame_pixels"
    assert caught.value.fields == {
        "image": ["Must have 20 megapixels or fewer in all its frames."]
    }
    assert decode_image(frames(20, (1000, 1000), form), LIMITS).animated


def test_a_frame_counts_as_large_as_it_claims_to_be() -> None:
    """Also where all but a corner of it is outside of the picture."""
    data = frames(2, (40, 40))
    size = b"\x28\0\x28\0"
    at = data.rindex(size)
    assert data[at - 5] == 0x2C
    large = data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :]
    with pytest.raises(TooLargeError):
        decode_image(large, LIMITS)


def test_an_animation_is_whole_or_refused() -> None:
    """Cut anywhere within a frame it is refused, though its first one is there."""
    data = frames(6, (60, 60))
    whole = clean_gif(data).frames
    for cut in range(60, len(data) - 2):
        try:
            kept = clean_gif(data[:cut])
        except InvalidError:
            continue
        # Between two frames it is a shorter animation.
        assert kept.frames < whole or cut >= len(data) - 2
        opened(decode_image(data[:cut], LIMITS).data)
    with pytest.raises(InvalidError):
        decode_image(data[: len(data) // 2], LIMITS)


def test_a_see_through_photo_of_a_phone_stays_so() -> None:
    """HEIC and AVIF become what all browsers show: JPEG, or WebP with alpha."""
    for data in (heic(shapes(mode="RGBA")), saved("AVIF", shapes(mode="RGBA"))):
        found = decode_image(data, LIMITS)
        assert found.mime == "image/webp"
        assert opened(found.data).mode == "RGBA"
    assert decode_image(heic(shapes()), LIMITS).mime == "image/jpeg"


def test_too_many_pixels_are_told() -> None:
    """With how many there are and may be, by the field's name."""
    with pytest.raises(TooLargeError) as caught:
        decode_image(saved("PNG", Image.new("L", (4000, 3500))), LIMITS)
    assert caught.value.message == (
        "The image must have 12 megapixels or fewer. It has 14."
    )
    assert caught.value.fields == {"image": ["Must have 12 megapixels or fewer."]}


def halves(data: bytes) -> list[int]:
    return [half for byte in data for half in (byte & 15, byte >> 4)]


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        # By the reference implementation in JavaScript, thumbhash 0.1.1.
        (shapes((32, 20)), "GIgFTJYyT5ZrpnaiSZRWn8T5nA=="),
        (shapes((20, 32)), "GIgFVBYy31VLmaNpeGhnj8b5nA=="),
        (shapes((31, 22), "RGBA"), "V0eBJIg4Ml9ulrFbWfUoeq+FhweIeIiHBw=="),
    ],
)
def test_the_hash_is_the_reference_s(picture: Image.Image, expected: str) -> None:
    """Clients paint it with the library that everybody has."""
    pairs = zip(halves(thumbhash_of(picture)), halves(b64decode(expected)), strict=True)
    # What lies between two numbers may be rounded to either.
    assert all(abs(ours - theirs) <= 1 for ours, theirs in pairs)
