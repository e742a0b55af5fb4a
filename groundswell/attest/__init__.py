"""What is hung onto a promoted digest for others to check: its verdict, its proof, its SBOM, and our signatures.

`cosign` and `referrers` know the forms, `attachments` does the I/O, `check` looks at it again. Nothing here knows
of cascades: what is attested comes in as documents.
"""
