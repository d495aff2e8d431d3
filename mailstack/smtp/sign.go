package smtp

import (
	"fmt"
	"slices"

	"github.com/emersion/go-msgauth/dkim"

	"gouv.tg/messagerie/mailstack/mime"
)

// signedFields are covered by the signature wherever they are present (RFC 6376, 5.4.1). From is named twice, so that
// a second one cannot be added (8.15).
var signedFields = []string{
	"From", "From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding",
	"Resent-From", "Resent-To", "Resent-Date", "Resent-Message-ID", "List-Id", "List-Unsubscribe", "List-Post",
}

// signingDomain is d= for a sender: its own domain, or the shared one; empty for any other.
func (s *Server) signingDomain(domain string) string {
	if s.options.Key != nil && (s.ownDomain(domain) || s.sharedDomain(domain)) {
		return domain
	}
	return ""
}

// sign returns the DKIM-Signature field for a message (RFC 6376), relaxed in header and body.
func (s *Server) sign(raw []byte, domain string) (string, error) {
	header, _ := mime.Split(raw)
	present := make(map[string]bool)
	fields := slices.Collect(mime.Fields(header))
	var keys []string
	for _, key := range signedFields {
		for _, f := range fields {
			if f.Is(key) && (!present[key] || key == "From") {
				present[key] = true
				keys = append(keys, key)
				break
			}
		}
	}
	signer, err := dkim.NewSigner(&dkim.SignOptions{
		Domain: domain, Selector: s.options.Selector, Signer: s.options.Key, HeaderKeys: keys,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
	})
	if err != nil {
		return "", fmt.Errorf("cannot sign message: %w", err)
	}
	_, err = signer.Write(raw)
	if closed := signer.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return "", fmt.Errorf("cannot sign message: %w", err)
	}
	return signer.Signature(), nil
}
