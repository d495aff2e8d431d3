package handover

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/emersion/go-smtp"
)

var errNobody = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "nobody"}

// recorder is a session that knows all but "nobody", and refuses mail from "bad".
type recorder struct {
	mail   Mail
	to     []string
	lazy   int64 // octets it reads; 0: all
	log    []string
	broken error
}

func (r *recorder) Mail(m Mail) error {
	r.mail, r.to = m, nil
	if m.From == "bad" {
		return errors.New("internal")
	}
	return nil
}

func (r *recorder) Rcpt(to string) error {
	if to == "nobody" {
		return errNobody
	}
	r.to = append(r.to, to)
	return nil
}

func (r *recorder) Data(src io.Reader) []error {
	results := make([]error, len(r.to))
	if r.lazy > 0 {
		src = io.LimitReader(src, r.lazy)
	}
	text, err := io.ReadAll(src)
	if err != nil {
		r.broken = err
		for i := range results {
			results[i] = err
		}
		return results
	}
	r.log = append(r.log, fmt.Sprintf("%s %v %d", r.mail.From, r.to, len(text)))
	if bytes.HasPrefix(text, []byte("half")) {
		results[len(results)-1] = errNobody
	}
	return results
}

func (r *recorder) Reset() { r.log = append(r.log, "reset") }

// start serves a session; end waits for it.
func start(t *testing.T, r *recorder, l Limits) (c *Client, end func() error) {
	near, far := net.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Serve(far, r, l)
		far.Close()
	}()
	return NewClient(near), func() error {
		near.Close()
		return <-done
	}
}

func codes(errs []error) string {
	var out []string
	for _, err := range errs {
		var wire *smtp.SMTPError
		switch {
		case err == nil:
			out = append(out, "250")
		case errors.As(err, &wire):
			out = append(out, fmt.Sprint(wire.Code))
		default:
			out = append(out, err.Error())
		}
	}
	return strings.Join(out, " ")
}

func TestTransactions(t *testing.T) {
	r := &recorder{}
	c, end := start(t, r, Limits{Octets: 100000, Recipients: 2})
	for _, tc := range []struct {
		mail         Mail
		to           []string
		text         string
		rcpts, datas string
	}{
		{Mail{From: "a"}, []string{"x"}, "", "250", "250"},
		{Mail{From: "b", EnvelopeID: "id"}, []string{"nobody", "x", "nobody", "y", "z"}, "half", "550 250 550 250 452", "250 550"},
		{Mail{From: "bad"}, []string{"x", "y"}, "", "451 451", ""},
		{Mail{From: "c", Size: 100001}, []string{"x"}, "", "552", ""},
		{Mail{From: "d"}, []string{"x"}, strings.Repeat("a", pieceSize), "250", "250"},
		{Mail{From: "e"}, []string{"x"}, strings.Repeat("a", 100000), "250", "250"},
		{Mail{From: "f"}, []string{"x", "y"}, strings.Repeat("a", 100001), "250 250", "552 552"},
		{Mail{From: "g"}, []string{"x"}, ".\r\n..\r\n", "250", "250"},
	} {
		c.Mail(tc.mail)
		var got []error
		for _, to := range tc.to {
			got = append(got, c.Rcpt(to))
		}
		if codes(got) != tc.rcpts {
			t.Errorf("from %s: recipients %s, want %s", tc.mail.From, codes(got), tc.rcpts)
		}
		if tc.datas == "" {
			if err := c.Reset(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := c.Data("", strings.NewReader(tc.text))
		if err != nil || codes(got) != tc.datas {
			t.Errorf("from %s: message %s, %v; want %s", tc.mail.From, codes(got), err, tc.datas)
		}
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	var stored []string
	for _, l := range r.log {
		if l != "reset" {
			stored = append(stored, l)
		}
	}
	if want := []string{"a [x] 0", "b [x y] 4", "d [x] 16384", "e [x] 100000", "g [x] 7"}; !slices.Equal(stored, want) {
		t.Errorf("stored %q, want %q", stored, want)
	}
}

// TestPromises: "+" before a recipient promises it. A broken promise keeps the message from all.
func TestPromises(t *testing.T) {
	r := &recorder{}
	c, end := start(t, r, Limits{Octets: 100000, Recipients: 100})
	many := make([]string, 90)
	for i := range many {
		many[i] = fmt.Sprintf("+%d%s", i, strings.Repeat("x", 100))
	}
	for _, tc := range []struct {
		name         string
		mail         Mail
		to           []string
		rcpts, datas string
	}{
		{"one", Mail{From: "a"}, []string{"+x"}, "", "250"},
		{"mixed", Mail{From: "a"}, []string{"+x", "nobody", "y", "+z"}, "550 250", "250 250 250"},
		{"asked first", Mail{From: "a"}, []string{"nobody", "y", "+z"}, "550 250", "250 250"},
		{"broken", Mail{From: "a"}, []string{"+nobody"}, "", "550"},
		{"broken among others", Mail{From: "a"}, []string{"+x", "+nobody", "+y"}, "", "451 451 451"},
		{"broken before a question", Mail{From: "a"}, []string{"+nobody", "y", "+z"}, "451", "451 451"},
		{"sender refused", Mail{From: "bad"}, []string{"+x"}, "", "451"},
		{"many", Mail{From: "a"}, many, "", strings.TrimSpace(strings.Repeat("250 ", 90))},
		{"one again", Mail{From: "a"}, []string{"+x"}, "", "250"},
	} {
		stored := len(r.log)
		c.Mail(tc.mail)
		var got []error
		for _, to := range tc.to {
			if name, ok := strings.CutPrefix(to, "+"); !ok {
				got = append(got, c.Rcpt(to))
			} else if err := c.Promise(name); err != nil {
				t.Fatal(err)
			}
		}
		if codes(got) != tc.rcpts {
			t.Errorf("%s: recipients %s, want %s", tc.name, codes(got), tc.rcpts)
		}
		got, err := c.Data("prefix", strings.NewReader("text"))
		if err != nil || codes(got) != tc.datas {
			t.Errorf("%s: message %s, %v; want %s", tc.name, codes(got), err, tc.datas)
		}
		whole := slices.ContainsFunc(r.log[stored:], func(l string) bool { return strings.HasSuffix(l, " 10") })
		if whole != strings.HasPrefix(tc.datas, "250") {
			t.Errorf("%s: stored %q", tc.name, r.log[stored:])
		}
	}
	c.Mail(Mail{From: "a"})
	if err := errors.Join(c.Promise("x"), c.Reset()); err != nil {
		t.Fatal(err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestWhatTheSessionLeavesIsReadOver(t *testing.T) {
	r := &recorder{lazy: 10}
	c, end := start(t, r, Limits{Octets: 100000})
	for range 2 {
		c.Mail(Mail{From: "a"})
		if err := c.Rcpt("x"); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Data("prefix", strings.NewReader(strings.Repeat("a", 50000))); err != nil || codes(got) != "250" {
			t.Fatal(codes(got), err)
		}
	}
	end()
}

// A message is whole when its end was read, and only then.
func TestBrokenOffIsNeverWhole(t *testing.T) {
	for name, source := range map[string]io.Reader{
		"at once": iotest.ErrReader(errors.New("gone")),
		"later":   io.MultiReader(strings.NewReader(strings.Repeat("a", 3*pieceSize)), iotest.ErrReader(io.ErrUnexpectedEOF)),
	} {
		r := &recorder{}
		c, end := start(t, r, Limits{Octets: 1 << 20})
		c.Mail(Mail{From: "a"})
		if err := c.Rcpt("x"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Data("", source); err == nil {
			t.Errorf("%s: no error", name)
		}
		err := end()
		for _, l := range r.log {
			if l != "reset" {
				t.Errorf("%s: stored %s", name, l)
			}
		}
		if name == "later" && (!errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(r.broken, io.ErrUnexpectedEOF)) {
			t.Errorf("%s: session got %v, Serve %v", name, r.broken, err)
		}
	}
}

func TestHostileFrames(t *testing.T) {
	const begin = "R\x00\x00\x00\x06\x01\x00\x00\x00\x00\x00"
	for name, in := range map[string]string{
		"unknown kind":          "Q\x00\x00\x00\x00",
		"verdict":               "V\x00\x00\x00\x00",
		"long question":         "R\x7f\xff\xff\xff",
		"reset with a payload":  "X\x00\x00\x00\x01a",
		"no fields":             "R\x00\x00\x00\x01\x01",
		"too many fields":       "R\x00\x00\x00\x03\x00\x00\x00",
		"a text too long":       "R\x00\x00\x00\x03\x00\x05a",
		"message first":         "D\x00\x00\x00\x01a",
		"end first":             "E\x00\x00\x00\x00",
		"half a header":         "R\x00",
		"question in a message": begin + "D\x00\x00\x00\x01a" + begin,
		"empty piece":           begin + "D\x00\x00\x00\x01aD\x00\x00\x00\x00",
		"message without end":   begin + "D\x00\x00\x00\x01a" + "D\x00\x10\x00\x00" + strings.Repeat("a", 1<<20),
	} {
		near, far := net.Pipe()
		go func() {
			io.WriteString(near, in)
			near.Close()
		}()
		go io.Copy(io.Discard, near)
		if err := Serve(far, &recorder{}, Limits{Octets: 10}); err == nil {
			t.Errorf("%s: accepted", name)
		}
		far.Close()
	}
}

func TestFieldsComeBack(t *testing.T) {
	for _, q := range []question{
		{}, {To: "a@b"}, {&Mail{}, "a@b", false}, {To: "a@b", Promised: true},
		{&Mail{Hello: "host", From: "c@d", Size: 1 << 40, EnvelopeID: strings.Repeat("x", 300)}, "", true},
	} {
		got, err := parseQuestion(q.append(nil))
		if err != nil || !reflect.DeepEqual(got, q) {
			t.Errorf("%+v became %+v, %v", q, got, err)
		}
	}
	replies := []reply{{}, {550, smtp.EnhancedCode{5, 1, 1}, "nobody"}, {}, {451, smtp.EnhancedCode{4, 3, 999}, ""}}
	var b []byte
	for _, r := range replies {
		b = r.append(b)
	}
	got, err := parseVerdict(b, len(replies))
	if err != nil || !reflect.DeepEqual(got, replies) {
		t.Errorf("%+v became %+v, %v", replies, got, err)
	}
	for _, n := range []int{len(replies) - 1, len(replies) + 1} {
		if _, err := parseVerdict(b, n); err == nil {
			t.Errorf("%d replies were found in %d", n, len(replies))
		}
	}
}

func FuzzServe(f *testing.F) {
	f.Add([]byte("R\x00\x00\x00\x06\x01\x00\x00\x00\x00\x00D\x00\x00\x00\x02abE\x00\x00\x00\x00X\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		near, far := net.Pipe()
		go func() {
			near.Write(in)
			near.Close()
		}()
		go io.Copy(io.Discard, near)
		r := &recorder{}
		Serve(far, r, Limits{Octets: 100, Recipients: 3})
		far.Close()
		if len(r.to) > 3 {
			t.Errorf("%d recipients", len(r.to))
		}
	})
}
