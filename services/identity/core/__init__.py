"""What verifies: pure functions of a credential, a trust bundle and a broker time; total, whatever the bytes."""
