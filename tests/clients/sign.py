"""Signs a body with a sender's own library.

stdin: {"library", "secret", "id", "now", "body"}; stdout: the headers as JSON.
"""

import datetime
import json
import sys

asked = json.load(sys.stdin)
secret, body, now = asked["secret"], asked["body"], int(asked["now"])

if asked["library"] == "stripe":
    from stripe import WebhookSignature

    signature = WebhookSignature._compute_signature(f"{now}.{body}", secret)
    headers = {"Stripe-Signature": f"t={now},v1={signature}"}
    # The library takes what it is asked to send.
    WebhookSignature.verify_header(body, headers["Stripe-Signature"], secret, tolerance=None)
elif asked["library"] == "standardwebhooks":
    from standardwebhooks.webhooks import Webhook

    at = datetime.datetime.fromtimestamp(now, tz=datetime.timezone.utc)
    signature = Webhook(secret).sign(asked["id"], at, body)
    headers = {"webhook-id": asked["id"], "webhook-timestamp": str(now), "webhook-signature": signature}
elif asked["library"] == "slack":
    from slack_sdk.signature import SignatureVerifier

    signature = SignatureVerifier(secret).generate_signature(timestamp=str(now), body=body)
    headers = {"X-Slack-Request-Timestamp": str(now), "X-Slack-Signature": signature}
else:
    sys.exit(f"no such library: {asked['library']}")

json.dump(headers, sys.stdout)
