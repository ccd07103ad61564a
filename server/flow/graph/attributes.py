"""DOT attribute values into stored strings: lists split at commas and joined by 0x03 (spec 2.1)."""

from server.flow.values import LIST_SEPARATOR

_QUOTES = "'\""
_PROTECTED = ",'\"\\"


def stored_attributes(attributes: dict[str, str]) -> dict[str, str]:
    """An attribute with an empty value is as if absent."""
    stored = {key: stored_value(value) for key, value in attributes.items()}
    return {key: value for key, value in stored.items() if value}


def stored_value(value: str) -> str:
    """Split at commas outside quotes, blanks around pieces removed, empty pieces dropped, joined by 0x03.

    Inner quotes and a backslash before a comma, a quote or a backslash protect what they enclose, and are removed.
    A backslash before anything else is text, and so is a quote without a partner.
    """
    if not any(mark in value for mark in _PROTECTED):
        return value.strip()
    return LIST_SEPARATOR.join(piece for piece in _pieces(value) if piece)


def _pieces(value: str) -> list[str]:
    pieces: list[str] = []
    done: list[str] = []
    plain: list[str] = []
    at = 0

    def settle() -> None:
        done.append("".join(plain))
        plain.clear()

    def finish() -> None:
        settle()
        done[0], done[-1] = done[0].lstrip(), done[-1] if len(done) == 1 else done[-1].rstrip()
        if len(done) == 1:
            done[0] = done[0].rstrip()
        pieces.append("".join(done))
        done.clear()

    while at < len(value):
        letter = value[at]
        if letter == "\\" and value[at + 1 : at + 2] and value[at + 1] in _PROTECTED:
            plain.append(value[at + 1])
            at += 2
            continue
        closing = value.find(letter, at + 1) if letter in _QUOTES else -1
        if closing > 0:
            settle()
            done.append(value[at + 1 : closing])
            at = closing + 1
            continue
        if letter == ",":
            finish()
        else:
            plain.append(letter)
        at += 1
    finish()
    return pieces
