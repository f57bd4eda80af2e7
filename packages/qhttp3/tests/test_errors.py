from qhttp3 import errors


def test_every_code_has_its_name() -> None:  # RFC 9114 §8.1, RFC 9204 §6
    codes = {name: value for name, value in vars(errors).items() if name.startswith(("H3_", "QPACK_"))}

    assert 21 == len(codes)
    for name, code in codes.items():
        assert name == errors.error_name(code)
    assert "0x1234" == errors.error_name(0x1234)


def test_violations_say_code_and_reason() -> None:
    assert "H3_ID_ERROR: too large" == str(errors.ConnectionViolation(errors.H3_ID_ERROR, "too large"))
    assert "H3_MESSAGE_ERROR: odd" == str(errors.StreamViolation(errors.H3_MESSAGE_ERROR, "odd"))
