"""``python -m realtime``: the same as the ``chatroom`` command."""

from realtime.cli import main

if __name__ == "__main__":
    main()
