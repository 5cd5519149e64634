WORDLIST: list[str]
