package wire_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/wire"
)

// certificates returns a server's configuration with a fresh certificate for localhost, and the pool that trusts it.
var certificates = sync.OnceValues(func() (*tls.Config, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key, Leaf: parsed}}}, pool
})

// clientConfig trusts any server: the benchmark's peer makes its certificate in another process.
func clientConfig() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// accept listens and returns the address and the next connection.
func accept(t testing.TB) (address string, next func() net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	conns := make(chan net.Conn)
	go func() {
		defer close(conns)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns <- conn
		}
	}()
	return listener.Addr().String(), func() net.Conn {
		conn := <-conns
		if conn == nil {
			t.Fatal("no connection")
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
}

// pair returns a connection and its peer's side, which is a *tls.Conn when secure.
func pair(t testing.TB, secure bool) (*wire.Conn, net.Conn) {
	return pairOf(t, &wire.Dialer{}, secure)
}

func pairOf(t testing.TB, d *wire.Dialer, secure bool) (*wire.Conn, net.Conn) {
	t.Helper()
	config, pool := certificates()
	d.TLS, d.Timeout = &tls.Config{RootCAs: pool}, 10*time.Second
	address, next := accept(t)
	peer := make(chan net.Conn, 1)
	go func() {
		conn := next()
		if secure {
			session := tls.Server(conn, config)
			session.Handshake()
			conn = session
		}
		peer <- conn
	}()
	client, err := d.Dial(context.Background(), address, secure)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client, <-peer
}
