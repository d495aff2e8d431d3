// Package binding tells what an agent's TLS connection can be bound to in an authentication (channel binding, RFC 5056).
package binding

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"

	"gouv.tg/messagerie/mailstack/sasl"
)

type key struct{}

// Handshake returns a context for a handshake. The certificate that is shown in it is left at shown, if Showing is told of it.
func Handshake(ctx context.Context, shown **tls.Certificate) context.Context {
	return context.WithValue(ctx, key{}, shown)
}

// Showing notes the certificate that is about to be shown; it is for tls.Config.GetCertificate, of which crypto/tls does not tell.
func Showing(hello *tls.ClientHelloInfo, certificate *tls.Certificate) {
	if ctx := hello.Context(); ctx != nil {
		if shown, ok := ctx.Value(key{}).(**tls.Certificate); ok {
			*shown = certificate
		}
	}
}

// Data is the channel binding data of a connection by type. A session that was resumed shows no certificate: shown is nil.
func Data(state tls.ConnectionState, shown *tls.Certificate) map[string][]byte {
	data := map[string][]byte{}
	// RFC 9266, 2. It fails for TLS 1.2 without the extended master secret, where it would prove nothing.
	if exported, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", []byte{}, 32); err == nil {
		data[sasl.BindingExporter] = exported
	}
	if len(state.TLSUnique) > 0 {
		data[sasl.BindingUnique] = state.TLSUnique
	}
	if shown != nil && shown.Leaf != nil {
		if hash := hashOf(shown.Leaf.SignatureAlgorithm); hash.Available() {
			h := hash.New()
			h.Write(shown.Leaf.Raw)
			data[sasl.BindingEndPoint] = h.Sum(nil)
		}
	}
	return data
}

// hashOf is RFC 5929, 4.1: that of the certificate's signature, but nothing weaker than SHA-256. A signature without a
// hash of its own gives none.
func hashOf(a x509.SignatureAlgorithm) crypto.Hash {
	switch a {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.SHA256WithRSA, x509.ECDSAWithSHA256, x509.SHA256WithRSAPSS:
		return crypto.SHA256
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		return crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		return crypto.SHA512
	}
	return 0
}
