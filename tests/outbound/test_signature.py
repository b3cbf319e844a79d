"""Signatures as Standard Webhooks 1.0 has them."""

import pytest

from realtime.outbound.signature import parse_secret, signed_headers


def test_the_example_of_the_standard() -> None:
    """Whoever verifies with a library of theirs gets what its authors publish."""
    headers = signed_headers(
        parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_not base64 not base64 not base64 not base64",
        "whsec_" + "A" * 88,
    ],
)
def test_a_weak_secret_is_refused_without_being_repeated(text: str) -> None:
    """It may be a real one with a typing error, and what is said is logged."""
    with pytest.raises(ValueError, match="whsec_ and 24 to 64 bytes") as caught:
        parse_secret(text)
    assert (
        not text or text.removeprefix("whsec_") == "" or text not in str(caught.value)
    )
