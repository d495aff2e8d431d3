package link

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// recheck is how long files are trusted not to have changed.
const recheck = time.Second

// Keyring holds a certificate, its key and an authority from a directory (tls.crt, tls.key, ca.crt) and reads them again
// when they change. While the new files cannot be used, the old ones stay in force: a Secret is not replaced
// atomically for one that reads several of its files.
type Keyring struct {
	dir string

	mu      sync.Mutex
	checked time.Time
	stamp   [3]stamp
	warned  bool
	cert    *tls.Certificate
	roots   *x509.CertPool
}

type stamp struct {
	modified time.Time
	size     int64
	inode    any
}

var keyringFiles = [3]string{"tls.crt", "tls.key", "ca.crt"}

// NewKeyring reads dir. ca.crt may be missing when only Certificate is used.
func NewKeyring(dir string) (*Keyring, error) {
	k := &Keyring{dir: dir}
	if err := k.load(); err != nil {
		return nil, err
	}
	return k, nil
}

// Certificate is the certificate of the moment.
func (k *Keyring) Certificate() (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refresh()
	return k.cert, nil
}

func (k *Keyring) authorities() (*x509.CertPool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refresh()
	if k.roots == nil {
		return nil, fmt.Errorf("cannot verify peer: no authority in %s", filepath.Join(k.dir, "ca.crt"))
	}
	return k.roots, nil
}

// refresh reads changed files, at most once per recheck. The caller holds mu.
func (k *Keyring) refresh() {
	if time.Since(k.checked) < recheck {
		return
	}
	k.checked = time.Now()
	if k.stamps() == k.stamp {
		return
	}
	if err := k.load(); err != nil {
		if !k.warned {
			slog.Warn("new certificate cannot be used, the old one stays", "dir", k.dir, "error", err)
		}
		k.warned = true
		return
	}
	k.warned = false
}

func (k *Keyring) stamps() (s [3]stamp) {
	for i, name := range keyringFiles {
		if fi, err := os.Stat(filepath.Join(k.dir, name)); err == nil {
			s[i] = stamp{fi.ModTime(), fi.Size(), inode(fi)}
		}
	}
	return s
}

func (k *Keyring) load() error {
	now := k.stamps()
	cert, err := tls.LoadX509KeyPair(filepath.Join(k.dir, "tls.crt"), filepath.Join(k.dir, "tls.key"))
	if err != nil {
		return fmt.Errorf("cannot load certificate: %w", err)
	}
	ca := filepath.Join(k.dir, "ca.crt")
	pem, err := os.ReadFile(ca)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot load authority: %w", err)
	}
	var roots *x509.CertPool
	if err == nil {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return fmt.Errorf("cannot load authority: no certificate in %s", ca)
		}
	}
	k.cert, k.roots, k.stamp = &cert, roots, now
	return nil
}
