package users

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"

	"gouv.tg/messagerie/loadtest/protocol/smtp"
	"gouv.tg/messagerie/loadtest/scenario"
)

// answering runs a server of lines: it greets, and sends what answer says to each line, if anything; then it may go on or close.
func answering(t *testing.T, greeting string, answer func(line string) (text string, more bool)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprintf(conn, "%s\r\n", greeting)
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					text, more := answer(lines.Text())
					if text != "" {
						fmt.Fprintf(conn, "%s\r\n", text)
					}
					if !more {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// Without verification a port that offers no STARTTLS is used as it is; one whose STARTTLS fails is not.
func TestReach(t *testing.T) {
	imapAnswer := func(capabilities string) func(string) (string, bool) {
		return func(line string) (string, bool) {
			tag, command, _ := strings.Cut(line, " ")
			switch command {
			case "CAPABILITY":
				return "* CAPABILITY IMAP4rev1" + capabilities + "\r\n" + tag + " OK done", true
			case "STARTTLS":
				return tag + " BAD no certificate", true
			}
			return "", false
		}
	}
	smtpAnswer := func(extensions string) func(string) (string, bool) {
		return func(line string) (string, bool) {
			switch {
			case strings.HasPrefix(line, "EHLO"):
				return "250-mx\r\n" + extensions + "250 SIZE 1000", true
			case line == "STARTTLS":
				return "454 4.7.0 no certificate", true
			}
			return "", false
		}
	}
	for _, test := range []struct {
		protocol, greeting string
		answer             func(string) (string, bool)
		insecure, plain    bool
	}{
		{"imap", "* OK hello", imapAnswer(""), true, true},
		{"imap", "* OK hello", imapAnswer(""), false, false},
		{"imap", "* OK hello", imapAnswer(" STARTTLS"), true, false},
		{"submission", "220 mx", smtpAnswer(""), true, true},
		{"submission", "220 mx", smtpAnswer(""), false, false},
		{"submission", "220 mx", smtpAnswer("250-STARTTLS\r\n"), true, false},
	} {
		address := answering(t, test.greeting, test.answer)
		scene := &scenario.Scenario{Users: 1, TimeoutSeconds: 10, Targets: map[string]string{test.protocol: address}}
		if test.protocol == "imap" {
			scene.Sessions.Share = 1
		} else {
			scene.Streams = []scenario.Stream{{Activity: scenario.Submission}}
		}
		p := NewPopulation(scene, []scenario.Account{{Address: "afi@gouv.tg"}}, 0, 1, &tls.Config{InsecureSkipVerify: test.insecure}, false)
		err := p.Reach(t.Context())
		if plain := p.upgrade(test.protocol) == smtp.Plain; plain != test.plain || (err == nil) != test.plain {
			t.Errorf("%+v: plain: %v; error %v", test, plain, err)
		}
	}
}
