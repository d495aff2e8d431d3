package content

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"
)

var someDay = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

func composed(t testing.TB, o Options, n int) []*Message {
	t.Helper()
	r := NewRun("Essai N° 1", 2, 9, o)
	rng := rand.New(rand.NewPCG(1, 2))
	messages := make([]*Message, n)
	for i := range messages {
		to := []string{"a@finances.example", "b@finances.example", "c@sante.example"}[:1+i%3]
		messages[i] = r.Compose(rng, "service@education.example", to, someDay)
	}
	return messages
}

// Every message is well-formed as others read it: net/mail, mime and their decoders.
func TestMessagesAreWellFormed(t *testing.T) {
	replies, files := 0, 0
	for _, m := range composed(t, Options{Sizes: Office, ReplyShare: 0.5, AttachmentShare: 0.3}, 60) {
		for line := range bytes.SplitSeq(m.Raw, []byte("\r\n")) {
			if len(line) > 76+20 || bytes.ContainsAny(line, "\r\n\x00") || bytes.ContainsFunc(line, func(c rune) bool { return c > 126 }) {
				t.Fatalf("not a line of 7-bit text: %q", line)
			}
		}
		parsed, err := mail.ReadMessage(bytes.NewReader(m.Raw))
		if err != nil {
			t.Fatal(err)
		}
		if to, err := parsed.Header.AddressList("To"); err != nil || len(to) != len(m.To) {
			t.Errorf("To is %v, %v; sent to %v", to, err, m.To)
		}
		if date, err := parsed.Header.Date(); err != nil || !date.Equal(someDay) {
			t.Errorf("Date is %v, %v", date, err)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject"))
		if err != nil || !strings.Contains(subject, "N. ") || strings.Contains(subject, "=?") {
			t.Errorf("Subject is %q, %v", subject, err)
		}
		if parsed.Header.Get("In-Reply-To") != "" {
			replies++
		}
		kind, parameters, err := mime.ParseMediaType(parsed.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		if kind == "text/plain" {
			readable(t, parsed.Body)
			continue
		}
		files++
		parts := multipart.NewReader(parsed.Body, parameters["boundary"])
		for n := 0; ; n++ {
			part, err := parts.NextRawPart()
			if err == io.EOF {
				if n < 2 {
					t.Errorf("%d parts", n)
				}
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				readable(t, part)
			} else if data, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, part)); err != nil || len(data) == 0 || part.FileName() == "" {
				t.Errorf("file %q of %d octets: %v", part.FileName(), len(data), err)
			}
		}
	}
	if replies < 10 || files < 10 {
		t.Errorf("%d replies, %d with files of 60", replies, files)
	}
}

func readable(t *testing.T, body io.Reader) {
	t.Helper()
	text, err := io.ReadAll(quotedprintable.NewReader(body))
	if err != nil || !strings.Contains(string(text), "é") || !strings.HasSuffix(string(text), "\n") {
		t.Errorf("text %.200q: %v", text, err)
	}
}

func TestSameSeedSameMessages(t *testing.T) {
	o := Options{Sizes: Office, ReplyShare: 0.5}
	a, b := composed(t, o, 20), composed(t, o, 20)
	for i := range a {
		if !bytes.Equal(a[i].Raw, b[i].Raw) {
			t.Fatalf("message %d differs", i)
		}
	}
	other := NewRun("Essai N° 1", 2, 10, o).Compose(rand.New(rand.NewPCG(1, 2)), "service@education.example", a[0].To, someDay)
	if bytes.Equal(other.Raw, a[0].Raw) || other.Token == a[0].Token {
		t.Error("another seed gives the same message")
	}
}

// A message that was made by an earlier version must still be recognised.
func TestMessagesDoNotChangeBetweenVersions(t *testing.T) {
	want := []uint64{0x2c746bfff3de9e4c, 0xfffd2b62a44fa08f}
	for i, m := range composed(t, Options{ReplyShare: 1, AttachmentShare: 0.5}, 2) {
		if got := uint64(sum(emptyDigest, m.Raw)); got != want[i] {
			t.Errorf("message %d is %#x, was %#x", i, got, want[i])
		}
	}
}

func TestServersMayAddHeaders(t *testing.T) {
	for _, m := range composed(t, Options{AttachmentShare: 0.5}, 10) {
		for _, top := range []string{"", "Received: from a\r\n\tby b; now\r\nDelivered-To: x\r\n", "DKIM-Signature: v=1; d=message-id\r\n"} {
			if token, err := Check(append([]byte(top), m.Raw...)); token != m.Token || err != nil {
				t.Errorf("after %q: %q, %v", top, token, err)
			}
		}
	}
}

// Whatever octet changes, is missing or added below the token's header, Check sees it, and says where.
func TestEveryOctetCounts(t *testing.T) {
	for _, m := range composed(t, Options{ReplyShare: 1, AttachmentShare: 0.5, MaxBytes: 2048}, 6) {
		for at := range m.Raw {
			raw := bytes.Clone(m.Raw)
			raw[at] ^= 1 << (at % 8)
			if _, err := Check(raw); err == nil || err == ErrNoToken {
				t.Fatalf("octet %d of %d flipped from %q to %q: %v", at, len(raw), m.Raw[at], raw[at], err)
			}
			if _, err := Check(m.Raw[:at]); err == nil {
				t.Fatalf("cut at octet %d of %d: not seen", at, len(raw))
			}
		}
		if _, err := Check(append(bytes.Clone(m.Raw), "\r\n"...)); err == nil {
			t.Error("two octets more: not seen")
		}
		last := bytes.Clone(m.Raw)
		last[len(last)-9] = 0
		if _, err := Check(last); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("octet %d ", len(last)-9)) {
			t.Errorf("octet %d: %v", len(last)-9, err)
		}
	}
	if token, err := Check([]byte("From: probe@example\r\n\r\nok\r\n")); token != "" || err != ErrNoToken {
		t.Errorf("a message of somebody else: %q, %v", token, err)
	}
}

// Bodies are never shown: details name one octet.
func TestErrorsAreShort(t *testing.T) {
	m := composed(t, Options{}, 1)[0]
	for at := 0; at < len(m.Raw); at += 7 {
		raw := bytes.Clone(m.Raw)
		raw[at] ^= 0x55
		if _, err := Check(raw); err != nil && len(err.Error()) > maxDetail {
			t.Fatalf("an error of %d octets: %v", len(err.Error()), err)
		}
	}
}

func TestNoVocabularyIsTooLong(t *testing.T) {
	for _, word := range encodedTopics() {
		if len(word) > 75 { // RFC 2047, 2
			t.Errorf("%q has %d octets", word, len(word))
		}
	}
	lefts := map[string]bool{}
	for i := range halves {
		if len(lines().left[i])+len(lines().right[i])+len("> ")+len(" .") > 76 {
			t.Fatalf("%q %q", lines().left[i], lines().right[i])
		}
		lefts[lines().left[i]] = true
	}
	if len(lefts) < 200 {
		t.Errorf("%d beginnings of sentences", len(lefts))
	}
}

func FuzzCheck(f *testing.F) {
	for _, m := range composed(f, Options{ReplyShare: 0.5, AttachmentShare: 0.5, MaxBytes: 2048}, 3) {
		f.Add(m.Raw)
	}
	f.Add([]byte("X-Load-Token: a.1.1.1.1.1.1.1\r\n\r\n"))
	f.Add([]byte("Message-ID: <1.1.a@messagerie.invalid>\n\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		token, err := Check(raw)
		found, ok := TokenOf(raw)
		if err == nil && (!ok || found != token) {
			t.Fatalf("checked %q, found %q", token, found)
		}
		if ok != (token != "") {
			t.Fatalf("%q %v; %q", token, err, found)
		}
	})
}

func FuzzToken(f *testing.F) {
	f.Add(composed(f, Options{}, 1)[0].Token)
	f.Add("run.0.0.0.0.0.0.0")
	f.Fuzz(func(t *testing.T, token string) {
		if id, err := parseToken(token); err == nil && id.token() != token {
			t.Fatalf("%q is also %q", token, id.token())
		}
		if id, ok := parseMessageID(token); ok {
			again, ok := parseMessageID(string(messageID(nil, id.run, id.worker, id.number)))
			if !ok || again != id {
				t.Fatalf("%+v is also %+v", id, again)
			}
		}
	})
}

func FuzzSet(f *testing.F) {
	for _, set := range []string{"1", "1:*", "*:3", "*", "5,7:9", "$", "4294967295:0"} {
		f.Add(set)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range parseSet(text, true, 10) {
			if s.first > s.last || s.first == 0 {
				t.Fatalf("%q: %v", text, s)
			}
		}
	})
}

func BenchmarkCompose(b *testing.B) {
	for name, o := range map[string]Options{"small": {}, "office": {Sizes: Office}} {
		b.Run(name, func(b *testing.B) {
			r, rng := NewRun("bench", 0, 1, o), rand.New(rand.NewPCG(1, 2))
			to := []string{"a@finances.example", "b@finances.example", "c@sante.example", "d@sante.example"}
			total := 0
			for b.Loop() {
				total += len(r.Compose(rng, "service@education.example", to, someDay).Raw)
			}
			b.SetBytes(int64(total / b.N))
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	for name, o := range map[string]Options{"text": {}, "files": {AttachmentShare: 1, Sizes: Office, MeanBytes: 150_000}} {
		b.Run(name, func(b *testing.B) {
			all := composed(b, o, 100)
			total, i := 0, 0
			for b.Loop() {
				raw := all[i%len(all)].Raw
				i++
				if _, err := Check(raw); err != nil {
					b.Fatal(err)
				}
				total += len(raw)
			}
			b.SetBytes(int64(total / b.N))
		})
	}
}
