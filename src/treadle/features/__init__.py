"""Policy above the contract, ignorant of any one store."""
