package pki

import (
	"crypto/tls"
	"sync"
	"time"
)

// Identity is a certificate that lives in memory only and is renewed when it is due. It is safe for concurrent use.
type Identity struct {
	authority *Authority
	request   Request

	mu     sync.Mutex
	bundle Bundle
	renew  time.Time
}

// NewIdentity makes an identity; its first certificate is issued when it is needed.
func (a *Authority) NewIdentity(r Request) *Identity { return &Identity{authority: a, request: r} }

// ClientConfig dials a peer whose certificate carries exactly the identity wantURI.
func (i *Identity) ClientConfig(wantURI string) (*tls.Config, error) {
	bundle, err := i.current()
	if err != nil {
		return nil, err
	}
	return i.authority.ClientConfig(bundle, wantURI)
}

// Certificate is for tls.Config.GetCertificate.
func (i *Identity) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	bundle, err := i.current()
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(bundle.Certificate, bundle.Key)
	return &pair, err
}

func (i *Identity) current() (Bundle, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	if now.Before(i.renew) {
		return i.bundle, nil
	}
	bundle, err := i.authority.Issue(i.request, now)
	if err != nil {
		return Bundle{}, err
	}
	i.bundle, i.renew = bundle, now.Add(RenewAfter)
	return bundle, nil
}
