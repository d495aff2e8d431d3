package server

import (
	"context"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/test/bench/peers/system"
)

// StartDovecot starts Debian's Dovecot with one mailbox format, maildir or mdbox.
func (s *Site) StartDovecot(ctx context.Context, format string) (_ *Server, err error) {
	name := "dovecot-" + format
	program, err := exec.LookPath("/usr/sbin/dovecot")
	if err != nil {
		return nil, fmt.Errorf("%w: /usr/sbin/dovecot (Debian packages dovecot-imapd, dovecot-lmtpd)", ErrUnavailable)
	}
	folder, host, ports, err := s.folder(name, 3)
	if err != nil {
		return nil, err
	}
	at := func(port int) string { return net.JoinHostPort(host, ports[port]) }
	server := &Server{
		Name: name, Version: output(program, "--version"), Domain: format + ".example", IMAP: at(0), IMAPS: at(1),
		Settings: []string{"passwords: u: salted SHA-512 (SSHA512); slow: argon2id m=19456 t=2 p=1; auth_cache on", "mail_fsync = always", "mail_location = " + format, "imap-login service_count 0 (high performance), imap processes reused",
			"no full-text search plugin"},
	}
	mail := filepath.Join(folder, "mail")
	for path, owner := range map[string]int{mail: user, filepath.Join(folder, "state"): 0} {
		if err := os.Mkdir(path, 0o755); err != nil {
			return nil, err
		}
		if err := os.Chown(path, owner, owner); err != nil {
			return nil, err
		}
	}
	if err := writePasswords(filepath.Join(folder, "passwd"), mail, server.Domain); err != nil {
		return nil, err
	}
	config := filepath.Join(folder, "dovecot.conf")
	err = write(config, "dovecot.conf", map[string]string{"Folder": folder, "Host": host, "Certificate": s.certificate, "Key": s.key,
		"Format": format, "IMAP": ports[0], "IMAPS": ports[1], "LMTP": ports[2], "Domain": server.Domain})
	if err != nil {
		return nil, err
	}
	process, err := system.Start(name, filepath.Join(folder, "out.log"), exec.Command(program, "-F", "-c", config))
	if err != nil {
		return nil, err
	}
	server.Processes = system.Group{process}
	server.Ways = []Way{{name + "-lmtp", at(2), true, server.Processes}}
	server.Fill = func(ctx context.Context, maildir string, _ int) error {
		return importDovecot(ctx, config, mail, format, server.BigUser(), maildir)
	}
	for _, address := range []string{at(0), at(1), at(2)} {
		if err := process.Await(ctx, answers(address)); err != nil {
			_ = process.Stop()
			return nil, err
		}
	}
	return server, nil
}

// writePasswords writes a passwd-file: user:password:uid:gid::home.
func writePasswords(path, mail, domain string) error {
	salt := make([]byte, 8)
	rand.Read(salt)
	digest := sha512.Sum512(append([]byte(Password), salt...))
	cheap := "{SSHA512}" + base64.StdEncoding.EncodeToString(append(digest[:], salt...))
	var b strings.Builder
	for _, local := range localParts() {
		hash := cheap
		if local[0] == 's' {
			slow, err := directory.Hash(Password)
			if err != nil {
				return err
			}
			hash = "{ARGON2ID}" + slow
		}
		fmt.Fprintf(&b, "%s@%s:%s:%d:%d::%s/%s::\n", local, domain, hash, user, user, mail, local)
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// importDovecot stores the messages without waiting for the disk, which the measures that follow do not look at.
func importDovecot(ctx context.Context, config, mail, format, address, maildir string) error {
	home := filepath.Join(mail, BigAccount)
	target := filepath.Join(home, "source")
	if format == "maildir" { // as files they are already what they are to become
		target = filepath.Join(home, format)
	}
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	if err := run(exec.CommandContext(ctx, "cp", "-a", maildir, target)); err != nil {
		return err
	}
	if err := run(exec.CommandContext(ctx, "chown", "-R", fmt.Sprintf("%d:%d", user, user), home)); err != nil {
		return err
	}
	if format == "maildir" {
		return nil
	}
	doveadm := exec.CommandContext(ctx, "doveadm", "-c", config, "-o", "mail_fsync=never", "import", "-u", address, "maildir:"+target, "", "mailbox", "INBOX", "all")
	return errors.Join(run(doveadm), os.RemoveAll(target))
}
