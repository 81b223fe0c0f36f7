"""Where does this come from? Ledger, watermark, credential, fingerprint and one verdict."""
