"""The forms in which a SHA-256 that somebody else computed comes in."""

import re
from binascii import a2b_base64
from typing import Final

HEX_LENGTH: Final = 64
_HEX: Final = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_BASE64_LENGTHS: Final = (43, 44)  # 32 bytes, without and with the sign that fills them up
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{43}=?", re.ASCII)


def of_hex(text: str) -> str | None:
    """Read one of 64 hex digits, in any case."""
    return text.lower() if len(text) == HEX_LENGTH and _HEX.fullmatch(text) else None


def of_base64(text: str) -> str | None:
    """Read one in base64 or base64url, filled up or not.

    >>> of_base64("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    if len(text) not in _BASE64_LENGTHS or not _BASE64.fullmatch(text):
        return None
    return a2b_base64(text.rstrip("=").replace("-", "+").replace("_", "/") + "=").hex()
