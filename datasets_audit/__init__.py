"""What did it learn from? Consent, licences and balance of a data set."""
