"""The constants of suite 1 and the one error for what does not open."""

from e2e_support.crypto import suite
from e2e_support.errors import PeerError


def test_sizes_are_those_of_the_standards() -> None:
    """The sums of the parts are the sizes that RFC 9180, FIPS 203 and the X-Wing draft give."""
    assert suite.KEM_PUBLIC == 1216
    assert suite.KEM_CIPHERTEXT == 1120
    assert suite.SEAL_OVERHEAD == 1136
    assert suite.CAE_OVERHEAD == 80
    assert (suite.PUBLIC_SIGN, suite.SIGNATURE) == (32, 64)
    assert len(suite.ZERO_NONCE) == 12


def test_this_program_speaks_version_one_of_suite_one() -> None:
    """There is one version and one suite, and nothing to negotiate."""
    assert (suite.VERSION, suite.SUITE) == (1, 1)


def test_cannot_open_blames_the_peer_and_says_no_reason() -> None:
    """The error has one code and names no phase, so that it is no oracle."""
    error = suite.cannot_open()
    assert isinstance(error, PeerError)
    assert error.code == "cannot_open"
    assert error.hint
    assert not any(phase.value in error.message for phase in suite.Phase)
