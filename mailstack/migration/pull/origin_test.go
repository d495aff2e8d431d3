package pull

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"
)

// origin is an IMAP server in memory, behind TLS, to pull from.
type origin struct {
	t       *testing.T
	address string
	tls     *tls.Config

	mu       sync.Mutex
	users    map[string]*imapmemserver.User
	password map[string]string
	logins   atomic.Int64
	cutAfter atomic.Int64 // connections break after so many bytes; 0: never
	shut     string       // a mailbox that nobody may open
	withheld imap.UID     // a message that is not handed over
}

const secret = "correct horse battery"

func newOrigin(t *testing.T, users ...string) *origin {
	t.Helper()
	certificate, pool := selfSigned(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &origin{
		t: t, address: l.Addr().String(), tls: &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"},
		users: make(map[string]*imapmemserver.User), password: make(map[string]string),
	}
	for _, name := range users {
		o.addUser(name)
	}
	server := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return &originSession{origin: o}, nil, nil
		},
		Caps:   imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapNamespace: {}, imap.CapListExtended: {}, imap.CapSpecialUse: {}},
		Logger: log.New(io.Discard, "", 0),
	})
	go server.Serve(tls.NewListener(cutting{l, o}, &tls.Config{Certificates: []tls.Certificate{certificate}}))
	t.Cleanup(func() { server.Close() })
	return o
}

// originSession lets masters in for others.
type originSession struct {
	*imapmemserver.UserSession
	origin *origin
}

func (s *originSession) Login(user, password string) error { return s.enter("", user, password) }

// Authenticate implements imapserver.SessionSASL.
func (s *originSession) Authenticate(string) (sasl.Server, error) {
	return sasl.NewPlainServer(s.enter), nil
}

// AuthenticateMechanisms implements imapserver.SessionSASL.
func (s *originSession) AuthenticateMechanisms() []string { return []string{"PLAIN"} }

func (s *originSession) enter(identity, user, password string) error {
	s.origin.logins.Add(1)
	s.origin.mu.Lock()
	defer s.origin.mu.Unlock()
	if s.origin.password[user] != password || password == "" {
		return imapserver.ErrAuthFailed
	}
	if identity != "" && identity != user {
		if user != "master" {
			return imapserver.ErrAuthFailed
		}
		user = identity
	}
	u := s.origin.users[user]
	if u == nil {
		return imapserver.ErrAuthFailed
	}
	s.UserSession = imapmemserver.NewUserSession(u)
	return nil
}

// Select implements imapserver.Session.
func (s *originSession) Select(mailbox string, options *imap.SelectOptions) (*imap.SelectData, error) {
	if mailbox == s.origin.shut {
		return nil, &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeNoPerm, Text: "Permission denied"}
	}
	return s.UserSession.Select(mailbox, options)
}

// Fetch implements imapserver.Session.
func (s *originSession) Fetch(w *imapserver.FetchWriter, set imap.NumSet, options *imap.FetchOptions) error {
	if uids, ok := set.(imap.UIDSet); ok && s.origin.withheld != 0 {
		list, _ := uids.Nums()
		set = imap.UIDSetNum(slices.DeleteFunc(list, func(uid imap.UID) bool { return uid == s.origin.withheld })...)
	}
	return s.UserSession.Fetch(w, set, options)
}

func (o *origin) addUser(name string) {
	u := imapmemserver.NewUser(name, secret)
	o.mu.Lock()
	o.users[name], o.password[name] = u, secret
	o.mu.Unlock()
	o.create(name, "INBOX", "")
	o.create(name, "Sent Items", imap.MailboxAttrSent)
}

func (o *origin) create(user, mailbox string, use imap.MailboxAttr) {
	o.t.Helper()
	var options imap.CreateOptions
	if use != "" {
		options.SpecialUse = []imap.MailboxAttr{use}
	}
	if err := o.users[user].Create(mailbox, &options); err != nil {
		o.t.Fatal(err)
	}
}

func (o *origin) put(user, mailbox, raw string, flags ...imap.Flag) {
	o.t.Helper()
	date := time.Date(2025, 3, 4, 5, 6, len(raw)%60, 0, time.FixedZone("", 3600))
	_, err := o.users[user].Append(mailbox, bytes.NewReader([]byte(raw)), &imap.AppendOptions{Flags: flags, Time: date})
	if err != nil {
		o.t.Fatal(err)
	}
}

// letter is a message from somebody to somebody.
func letter(from, to string, n int) string {
	return fmt.Sprintf("From: X <%s>\r\nTo: %s\r\nDelivered-To: %s\r\nSubject: %d\r\n\r\n%s\r\n", from, to, to, n, strings.Repeat("text ", n*37%500))
}

// fill gives a user mail that is his.
func (o *origin) fill(user, address string, n int) {
	o.t.Helper()
	for i := range n {
		flags := []imap.Flag{imap.FlagSeen, "work"}[:i%3]
		o.put(user, "INBOX", letter("else@else.tg", address, i), flags...)
		o.put(user, "Sent Items", letter(address, "else@else.tg", i), imap.FlagSeen)
	}
}

// cutting breaks connections off.
type cutting struct {
	net.Listener
	o *origin
}

func (c cutting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if n := c.o.cutAfter.Load(); err == nil && n > 0 {
		conn = &cutConn{Conn: conn, left: n}
	}
	return conn, err
}

type cutConn struct {
	net.Conn
	left int64
}

func (c *cutConn) Write(b []byte) (int, error) {
	if c.left -= int64(len(b)); c.left < 0 {
		c.Close()
		return 0, io.ErrClosedPipe
	}
	return c.Conn.Write(b)
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "origin"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}, pool
}
