package pull

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"strconv"
)

const imapsPort = "993"

// ParseSource reads imaps://HOST[:PORT]. Nothing else is accepted: passwords and mail go over it.
func ParseSource(text string) (address string, err error) {
	u, err := url.Parse(text)
	bad := err != nil || u.Scheme != "imaps" || u.Hostname() == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != ""
	port := imapsPort
	if !bad && u.Port() != "" {
		n, err := strconv.Atoi(u.Port())
		port, bad = u.Port(), err != nil || n < 1 || n > 65535
	}
	if bad {
		return "", fmt.Errorf("found %.200q; accepted is imaps://HOST or imaps://HOST:PORT", text)
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// TLSConfig trusts the authorities of this machine, or only those of a PEM file's content, for a host:port.
func TLSConfig(address string, authorities []byte) (*tls.Config, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if authorities != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(authorities) {
			return nil, fmt.Errorf("found no certificate; accepted are certificates in PEM")
		}
	}
	return config, nil
}
