package pull

import (
	"encoding/pem"
	"testing"
)

func TestParseSource(t *testing.T) {
	for text, want := range map[string]string{
		"imaps://mail.old.tg": "mail.old.tg:993", "imaps://mail.old.tg:1993/": "mail.old.tg:1993", "imaps://[::1]:1": "[::1]:1",
		"imap://mail.old.tg": "", "mail.old.tg": "", "imaps://": "", "imaps://a:b": "", "imaps://a:0": "", "imaps://a:70000": "",
		"imaps://user:pass@a": "", "imaps://a/INBOX": "", "imaps://a?x": "", "imaps://a#x": "", "": "", "\x00": "",
	} {
		got, err := ParseSource(text)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestTLSConfig(t *testing.T) {
	certificate, _ := selfSigned(t)
	file := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if c, err := TLSConfig("mail.old.tg:993", file); err != nil || c.ServerName != "mail.old.tg" || c.RootCAs == nil {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := TLSConfig("mail.old.tg:993", nil); err != nil || c.RootCAs != nil {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := TLSConfig("mail.old.tg:993", []byte("hello")); err == nil {
		t.Error("a file without certificates")
	}
}
