package handover

import (
	"encoding/binary"
	"errors"

	"github.com/emersion/go-smtp"
)

// A payload is a list of fields: numbers as unsigned varints, texts with their length in octets before them.
//
//	question: what hello from envelopeID size to, or what to; what is 1 with a Mail, and 2 more for a promise
//	verdict:  for each reply 0, or code class subject detail text (RFC 5321, 4.2; RFC 3463)

var errFields = errors.New("fields of a frame: found fewer or more than there should be")

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// fields takes a payload apart. Without an error everything was there; a failed one gives zeros.
type fields struct {
	b   []byte
	err error
}

func (f *fields) number() uint64 {
	v, n := binary.Uvarint(f.b)
	if n <= 0 {
		f.b, f.err = nil, errFields
		return 0
	}
	f.b = f.b[n:]
	return v
}

// below takes a number that is to be less than a bound.
func (f *fields) below(bound uint64) int {
	v := f.number()
	if v >= bound {
		f.b, f.err = nil, errFields
		return 0
	}
	return int(v)
}

func (f *fields) text() string {
	n := f.below(uint64(len(f.b)) + 1)
	if n > len(f.b) {
		f.b, f.err = nil, errFields
		return ""
	}
	s := string(f.b[:n])
	f.b = f.b[n:]
	return s
}

// end reports what was wrong, or that something is left.
func (f *fields) end() error {
	if f.err == nil && len(f.b) > 0 {
		f.err = errFields
	}
	return f.err
}

// What a question is.
const (
	withMail = 1
	promised = 2
)

func (q question) append(b []byte) []byte {
	what := byte(0)
	if q.Mail != nil {
		what |= withMail
	}
	if q.Promised {
		what |= promised
	}
	b = append(b, what)
	if m := q.Mail; m != nil {
		b = appendText(appendText(appendText(b, m.Hello), m.From), m.EnvelopeID)
		b = binary.AppendUvarint(b, uint64(m.Size))
	}
	return appendText(b, q.To)
}

func parseQuestion(b []byte) (q question, err error) {
	f := fields{b: b}
	what := f.below(withMail + promised + 1)
	q.Promised = what&promised != 0
	if what&withMail != 0 {
		q.Mail = &Mail{Hello: f.text(), From: f.text(), EnvelopeID: f.text(), Size: int64(f.below(1 << 62))}
	}
	q.To = f.text()
	return q, f.end()
}

func (r reply) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(r.Code))
	if r.Code == 0 {
		return b
	}
	for _, n := range r.Enhanced {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return appendText(b, r.Text)
}

// parseVerdict takes n replies.
func parseVerdict(b []byte, n int) ([]reply, error) {
	replies := make([]reply, n)
	f := fields{b: b}
	for i := range replies {
		code := f.below(1000)
		if code == 0 {
			continue
		}
		replies[i] = reply{code, smtp.EnhancedCode{f.below(1000), f.below(1000), f.below(1000)}, f.text()}
	}
	return replies, f.end()
}
