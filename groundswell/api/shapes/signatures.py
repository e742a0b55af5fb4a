"""What hangs on an image, and the key that it is signed with."""

from groundswell.api.shapes.parts import TEXT, YES_NO, Shape, array, fields, told

_DIGEST = "sha256:" + "3a" * 32
_LAYER = "sha256:" + "5c" * 32


def shapes() -> dict[str, Shape]:
    attached = fields(
        form={"enum": ["signature", "attestation", "artifact"]},
        kind=told(TEXT, "The predicate or artifact type."),
        digest=TEXT,
        holds={
            "type": ["boolean", "null"],
            "description": "By the key and about the digest; null without a key, and for what has no signature.",
        },
        why=told(TEXT, "What is wrong with it."),
    )
    kind = "https://sigstore.dev/cosign/sign/v1"
    return {
        "Verified": Shape(
            schema=fields(
                image=told(TEXT, "By digest."),
                verified=told(YES_NO, "The image is signed, and its verdict and provenance are, all by the key."),
                attached=array(attached),
            ),
            example={
                "image": f"contoso.azurecr.io/shop/web:1.4@{_DIGEST}",
                "verified": False,
                "attached": [{"form": "signature", "kind": kind, "digest": _LAYER, "holds": True, "why": ""}],
            },
        ),
        "Key": Shape(
            schema=fields(public_key=TEXT),
            example={"public_key": "-----BEGIN PUBLIC KEY-----\nMFkw...\n-----END PUBLIC KEY-----\n"},
        ),
    }
