package smtp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/protocol/smtp"
	"gouv.tg/messagerie/loadtest/wire"
)

// serve runs a script on one connection: a step "S: text" sends a line, or several with "|" between them at once, "C: text"
// wants exactly that line, "C: *" any, and "X: " closes.
// It returns the address and a function that gives the script's outcome.
func serve(t *testing.T, script string) (address string, outcome func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	done := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		reader := bufio.NewReader(conn)
		for step := range strings.Lines(script) {
			step = strings.TrimRight(strings.TrimLeft(step, "\t "), "\n")
			side, text, found := strings.Cut(step, ": ")
			switch {
			case !found:
				continue
			case side == "X":
				done <- nil
				return
			case side == "S":
				fmt.Fprintf(conn, "%s\r\n", strings.ReplaceAll(text, "|", "\r\n"))
				continue
			}
			line, err := reader.ReadString('\n')
			if err != nil {
				done <- fmt.Errorf("waiting for %q: %w", text, err)
				return
			}
			if line = strings.TrimSuffix(line, "\r\n"); text != "*" && line != text {
				done <- fmt.Errorf("found %q; accepted is %q", line, text)
				return
			}
		}
		// Nothing may follow but the end.
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if rest, _ := io.ReadAll(reader); len(rest) > 0 {
			done <- fmt.Errorf("left over: %q", rest)
			return
		}
		done <- nil
	}()
	return listener.Addr().String(), func() error { return <-done }
}

const greeting = `
	S: 220 mx.example ESMTP
	C: EHLO client.example
	S: 250-mx.example
	S: 250-PIPELINING
	S: 250-SIZE 1000
	S: 250-8bitmime
	S: 250 ENHANCEDSTATUSCODES
`

// describe writes a Send's outcome down.
func describe(r smtp.Receipt, err error) string {
	var b strings.Builder
	var refusal *smtp.Error
	switch {
	case errors.As(err, &refusal):
		fmt.Fprintf(&b, "refused %s", refusal.Class())
	case err != nil:
		fmt.Fprintf(&b, "%T", err)
	default:
		b.WriteString("sent")
	}
	for _, address := range []string{"a@x.example", "b@x.example", "c@x.example"} {
		if slices.Contains(r.Accepted, address) {
			fmt.Fprintf(&b, "; %s", address[:1])
		}
		if e := r.Refused[address]; e != nil {
			fmt.Fprintf(&b, "; %s %s", address[:1], e.Class())
		}
	}
	return b.String()
}

// TestSend has scripts wait for all commands of a group before the first reply where pipelining is announced: a client that
// waited for replies would hang.
func TestSend(t *testing.T) {
	plain := strings.Replace(greeting, "S: 250-PIPELINING\n", "", 1)
	lmtp := strings.Replace(greeting, "EHLO", "LHLO", 1)
	for name, test := range map[string]struct {
		lmtp    bool
		script  string
		message string
		want    []string // by transaction
	}{
		"pipelined": {script: greeting + `
			C: MAIL FROM:<s@y.example> SIZE=7
			C: RCPT TO:<a@x.example>
			C: RCPT TO:<b@x.example>
			C: RCPT TO:<c@x.example>
			C: DATA
			S: 250 2.1.0 Ok
			S: 250 2.1.5 Ok
			S: 550 5.1.1 no such user
			S: 452 too many
			S: 354 go
			C: hello
			C: .
			S: 250 2.0.0 queued as 17
		`, want: []string{"sent; a; b 550 5.1.1; c 452"}},
		"one by one": {script: plain + `
			C: MAIL FROM:<s@y.example> SIZE=7
			S: 250 Ok
			C: RCPT TO:<a@x.example>
			S: 250 Ok
			C: RCPT TO:<b@x.example>
			S: 450-4.2.1 busy
			S: 450 4.2.1 come again
			C: RCPT TO:<c@x.example>
			S: 251 Ok
			C: DATA
			S: 354 go
			C: hello
			C: .
			S: 250-first
			S: 250 second
		`, want: []string{"sent; a; b 450 4.2.1; c"}},
		"354 although every recipient was refused": {script: greeting + `
			C: *
			C: *
			C: *
			C: *
			C: DATA
			S: 250 Ok
			S: 550 5.1.1 no
			S: 550 5.7.1 no
			S: 550 no
			S: 354 go
			C: .
			S: 554 5.5.1 no valid recipients
			C: RSET
			C: MAIL FROM:<s@y.example> SIZE=7
			C: *
			C: *
			C: *
			C: DATA
			S: 250 reset
			S: 250 Ok
			S: 250 Ok
			S: 250 Ok
			S: 250 Ok
			S: 354 go
			C: hello
			C: .
			S: 250 done
		`, want: []string{"refused 550 5.1.1; a 550 5.1.1; b 550 5.7.1; c 550", "sent; a; b; c"}},
		"sender refused": {script: greeting + `
			C: *
			C: *
			C: *
			C: *
			C: DATA
			S: 553 5.7.1 not yours
			S: 503 5.5.1 MAIL first
			S: 503 5.5.1 MAIL first
			S: 503 5.5.1 MAIL first
			S: 503 5.5.1 MAIL first
		`, want: []string{"refused 553 5.7.1; a 503 5.5.1; b 503 5.5.1; c 503 5.5.1"}},
		"sender refused, one by one": {script: plain + `
			C: MAIL FROM:<s@y.example> SIZE=7
			S: 452 4.3.1 full
			C: RSET
			S: 250 Ok
			C: MAIL FROM:<s@y.example> SIZE=7
			S: 452 4.3.1 full
		`, want: []string{"refused 452 4.3.1", "refused 452 4.3.1"}},
		"the server goes away": {script: greeting + `
			C: *
			C: *
			C: *
			C: *
			C: DATA
			S: 250 Ok
			S: 421 4.3.2 shutting down
			X: 
		`, want: []string{"refused 421 4.3.2; a 421 4.3.2"}},
		"the server dies": {script: greeting + `
			C: *
			C: *
			C: *
			C: *
			C: DATA
			S: 250 Ok
			X: 
		`, want: []string{"*errors.errorString"}},
		"the server goes away, one by one": {script: plain + `
			C: *
			S: 250 Ok
			C: *
			S: 421 4.3.2 shutting down
			X: 
		`, want: []string{"refused 421 4.3.2; a 421 4.3.2"}},
		"the server goes away after a recipient": {script: plain + `
			C: *
			S: 250 Ok
			C: *
			S: 250 Ok
			C: *
			S: 421 4.3.2 shutting down
			X: 
		`, want: []string{"refused 421 4.3.2; b 421 4.3.2"}},
		"DATA refused": {script: greeting + `
			C: *
			C: *
			C: *
			C: *
			C: DATA
			S: 250 Ok
			S: 250 Ok
			S: 250 Ok
			S: 250 Ok
			S: 451 4.3.0 not now
		`, want: []string{"refused 451 4.3.0"}},
		"message refused": {script: greeting + `
			C: *
			C: *
			C: *
			C: *
			C: DATA
			S: 250 Ok
			S: 250 Ok
			S: 550 5.1.1 no
			S: 250 Ok
			S: 354 go
			C: hello
			C: .
			S: 554 5.6.0 spam
		`, want: []string{"refused 554 5.6.0; b 550 5.1.1"}},
		"LMTP": {lmtp: true, script: lmtp + `
			C: *
			C: *
			C: *
			C: *
			C: DATA
			S: 250 Ok
			S: 250 Ok
			S: 550 5.1.1 no
			S: 250 Ok
			S: 354 go
			C: hello
			C: .
			S: 452 4.2.2 mailbox full
			S: 250 2.0.0 delivered
		`, want: []string{"sent; a 452 4.2.2; b 550 5.1.1; c"}},
		"LMTP refuses all after the message": {lmtp: true, script: lmtp + `
			C: *
			C: *
			C: *
			C: *
			C: DATA
			S: 250 Ok
			S: 250 Ok
			S: 250 Ok
			S: 250 Ok
			S: 354 go
			C: hello
			C: .
			S: 452 4.2.2 full
			S: 550 5.1.1 no
			S: 550 5.1.1 no
		`, want: []string{"refused 452 4.2.2; a 452 4.2.2; b 550 5.1.1; c 550 5.1.1"}},
		"LMTP dies between its replies": {lmtp: true, script: lmtp + `
			C: *
			C: *
			C: *
			C: *
			C: DATA
			S: 250 Ok
			S: 250 Ok
			S: 250 Ok
			S: 550 5.1.1 no
			S: 354 go
			C: hello
			C: .
			S: 250 2.0.0 delivered
			X: 
		`, want: []string{"*errors.errorString; a; c 550 5.1.1"}},
		"leading dots, no final CRLF, eight bits": {script: greeting + `
			C: MAIL FROM:<s@y.example> SIZE=24 BODY=8BITMIME
			C: *
			C: *
			C: *
			C: DATA
			S: 250 Ok
			S: 250 Ok
			S: 250 Ok
			S: 250 Ok
			S: 354 go
			C: ..
			C: ..dots..
			C: é.
			C: ...
			C: end
			C: .
			S: 250 done
		`, message: ".\r\n.dots..\r\né.\r\n..\r\nend", want: []string{"sent; a; b; c"}},
		"empty message": {script: greeting + `
			C: *
			C: *
			C: *
			C: *
			C: DATA
			S: 250 Ok
			S: 250 Ok
			S: 250 Ok
			S: 250 Ok
			S: 354 go
			C: .
			S: 250 done
		`, message: "-", want: []string{"sent; a; b; c"}},
		"no reply": {script: greeting + `
			C: *
			C: *
			C: *
			C: *
			C: DATA
			S: what?
			C: *
		`, want: []string{"*smtp.ProtocolError"}},
		"a positive reply to DATA": {script: greeting + `
			C: *
			C: *
			C: *
			C: *
			C: DATA
			S: 250 Ok
			S: 250 Ok
			S: 250 Ok
			S: 250 Ok
			S: 250 Ok
			C: *
		`, want: []string{"*smtp.ProtocolError"}},
	} {
		t.Run(name, func(t *testing.T) {
			address, outcome := serve(t, test.script)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			client, err := smtp.Dial(ctx, &wire.Dialer{}, address, smtp.Options{Hello: "client.example", LMTP: test.lmtp})
			if err != nil {
				t.Fatal(err)
			}
			message := test.message
			switch message {
			case "":
				message = "hello\r\n"
			case "-":
				message = ""
			}
			var got []string
			for range test.want {
				got = append(got, describe(client.Send(ctx, "s@y.example", []string{"a@x.example", "b@x.example", "c@x.example"}, []byte(message))))
			}
			client.Close()
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("found %q; accepted is %q", got, test.want)
			}
			if err := outcome(); err != nil && !strings.Contains(test.want[0], "ProtocolError") {
				t.Errorf("the server: %v", err)
			}
		})
	}
}

func TestSendRefusesBeforehand(t *testing.T) {
	address, outcome := serve(t, greeting)
	client, err := smtp.Dial(t.Context(), &wire.Dialer{}, address, smtp.Options{Hello: "client.example"})
	if err != nil {
		t.Fatal(err)
	}
	one := []string{"a@x.example"}
	for name, test := range map[string]struct {
		from    string
		to      []string
		message string
		want    error
	}{
		"no recipients":  {"s@y.example", nil, "hello\r\n", smtp.ErrNoRecipients},
		"too large":      {"s@y.example", one, strings.Repeat("x", 1001), smtp.ErrTooLarge},
		"bare LF":        {"s@y.example", one, "hello\n.\nMAIL FROM:<>\r\n", smtp.ErrLineBreak},
		"injected RCPT":  {"s@y.example", []string{"a@x.example>\r\nRCPT TO:<b@x.example"}, "hello\r\n", smtp.ErrAddress},
		"injected param": {"s@y.example> SIZE=1", one, "hello\r\n", smtp.ErrAddress},
	} {
		if _, err := client.Send(t.Context(), test.from, test.to, []byte(test.message)); err != test.want {
			t.Errorf("%s: found %v; accepted is %v", name, err, test.want)
		}
	}
	client.Close()
	if err := outcome(); err != nil {
		t.Errorf("something was sent: %v", err)
	}
}

func TestDialAndCommands(t *testing.T) {
	dial := func(t *testing.T, script string, o smtp.Options) (*smtp.Client, func() error, error) {
		address, outcome := serve(t, script)
		o.Hello = "client.example"
		client, err := smtp.Dial(t.Context(), &wire.Dialer{TLS: insecure()}, address, o)
		return client, outcome, err
	}
	var refusal *smtp.Error
	_, _, err := dial(t, "S: 554-no\nS: 554 5.7.1 service", smtp.Options{})
	if !errors.As(err, &refusal) || refusal.Code != 554 {
		t.Errorf("greeting: found %v", err)
	}
	if _, _, err = dial(t, greeting, smtp.Options{Security: smtp.StartTLS}); err != smtp.ErrNoStartTLS {
		t.Errorf("StartTLS: found %v", err)
	}
	stripped := strings.Replace(greeting, "S: 250-SIZE", "S: 250-STARTTLS\nS: 250-SIZE", 1) + "C: STARTTLS\nS: 220 go|250 injected\nC: *"
	if _, _, err = dial(t, stripped, smtp.Options{Security: smtp.StartTLS}); !errors.Is(err, wire.ErrBuffered) {
		t.Errorf("StartTLS: found %v; accepted is %v", err, wire.ErrBuffered)
	}
	client, outcome, err := dial(t, `
		S: 220 old
		C: EHLO client.example
		S: 502 what
		C: HELO client.example
		S: 250 hello
		C: QUIT
		S: 221 bye
	`, smtp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Auth(t.Context(), "u", "p"); err != smtp.ErrNoAuth {
		t.Errorf("Auth: found %v", err)
	}
	if err := client.Quit(t.Context()); err != nil {
		t.Error(err)
	}
	if err := outcome(); err != nil {
		t.Error(err)
	}
}

func TestSecretsStayOut(t *testing.T) {
	address, outcome := serve(t, `
		S: 220 mx
		C: *
		S: 250-mx
		S: 250 AUTH LOGIN PLAIN
		C: AUTH PLAIN AHUAc2VjcmV0
		S: 535 5.7.8 AHUAc2VjcmV0 is wrong
	`)
	client, err := smtp.Dial(t.Context(), &wire.Dialer{Transcript: true}, address, smtp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = client.Auth(t.Context(), "u", "secret")
	var refusal *smtp.Error
	if !errors.As(err, &refusal) || refusal.Class() != "535 5.7.8" {
		t.Fatalf("found %v", err)
	}
	transcript := strings.Join(client.Conn().Transcript(), "\n")
	if strings.Contains(transcript, "AHUA") || !strings.Contains(transcript, "C: AUTH PLAIN <hidden>") || !strings.Contains(transcript, "C: EHLO [127.0.0.1]") {
		t.Errorf("transcript:\n%s", transcript)
	}
	client.Close()
	if err := outcome(); err != nil {
		t.Error(err)
	}
}

// A server that falls silent: the context ends the wait.
func TestTimeout(t *testing.T) {
	address, _ := serve(t, greeting+"C: *\nC: *\nC: DATA\nC: *")
	client, err := smtp.Dial(t.Context(), &wire.Dialer{}, address, smtp.Options{Hello: "client.example"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := client.Send(ctx, "s@y.example", []string{"a@x.example"}, []byte("hello\r\n")); !wire.Timeout(err) {
		t.Fatalf("found %v", err)
	}
}
