package structure

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/emersion/go-imap/v2"
)

// ErrDamaged means that a stored form cannot be read.
var ErrDamaged = errors.New("stored structure is damaged")

// DecodeEnvelope is the inverse of EncodeEnvelope.
func DecodeEnvelope(b []byte) (*imap.Envelope, error) {
	r := newDecoder(b)
	e := r.envelope()
	if err := r.finish(); err != nil {
		return nil, err
	}
	return e, nil
}

// DecodeBody is the inverse of EncodeBody.
func DecodeBody(b []byte) (imap.BodyStructure, error) {
	r := newDecoder(b)
	bs := r.body(0)
	if err := r.finish(); err != nil {
		return nil, err
	}
	return bs, nil
}

// decoder reads until the first error and then returns zero values.
type decoder struct {
	b      []byte
	failed bool
}

func newDecoder(b []byte) *decoder {
	r := &decoder{b: b}
	if r.byte() != version {
		r.fail()
	}
	return r
}

func (r *decoder) fail() { r.failed, r.b = true, nil }

func (r *decoder) finish() error {
	if r.failed || len(r.b) > 0 {
		return ErrDamaged
	}
	return nil
}

func (r *decoder) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *decoder) present() bool { return r.byte() == 1 }

func (r *decoder) number() int64 {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[size:]
	return n
}

// length reads how many bytes, or things of one byte or more, follow: never more than are left.
func (r *decoder) length() int {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > uint64(len(r.b)-size) {
		r.fail()
		return 0
	}
	r.b = r.b[size:]
	return int(n)
}

func (r *decoder) text() string {
	n := r.length()
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *decoder) texts() []string {
	var list []string
	for n := r.length(); n > 0 && !r.failed; n-- {
		list = append(list, r.text())
	}
	return list
}

func (r *decoder) params() map[string]string {
	n := r.length()
	if n == 0 {
		return nil
	}
	params := make(map[string]string)
	for ; n > 0 && !r.failed; n-- {
		k := r.text()
		params[k] = r.text()
	}
	return params
}

func (r *decoder) date() time.Time {
	if !r.present() {
		return time.Time{}
	}
	seconds, offset := r.number(), r.number()
	if offset <= -maxOffset || offset >= maxOffset {
		r.fail()
		return time.Time{}
	}
	return time.Unix(seconds, 0).In(time.FixedZone("", int(offset)))
}

func (r *decoder) envelope() *imap.Envelope {
	e := &imap.Envelope{Date: r.date(), Subject: r.text(), MessageID: r.text(), InReplyTo: r.texts()}
	for _, list := range [...]*[]imap.Address{&e.From, &e.Sender, &e.ReplyTo, &e.To, &e.Cc, &e.Bcc} {
		for n := r.length(); n > 0 && !r.failed; n-- {
			*list = append(*list, imap.Address{Name: r.text(), Mailbox: r.text(), Host: r.text()})
		}
	}
	return e
}

func (r *decoder) extension() (d *imap.BodyStructureDisposition, language []string, location string) {
	if r.present() {
		d = &imap.BodyStructureDisposition{Value: r.text(), Params: r.params()}
	}
	return d, r.texts(), r.text()
}

func (r *decoder) body(depth int) imap.BodyStructure {
	kind := r.byte()
	if depth > maxDepth+1 || kind > kindMessage {
		r.fail()
	}
	if kind == kindMultipart {
		return r.multipart(depth)
	}
	bs := &imap.BodyStructureSinglePart{
		Type: r.text(), Subtype: r.text(), Params: r.params(),
		ID: r.text(), Description: r.text(), Encoding: r.text(), Size: uint32(r.number()),
		Extended: &imap.BodyStructureSinglePartExt{},
	}
	bs.Extended.Disposition, bs.Extended.Language, bs.Extended.Location = r.extension()
	switch kind {
	case kindText:
		bs.Text = &imap.BodyStructureText{NumLines: r.number()}
	case kindMessage:
		bs.MessageRFC822 = &imap.BodyStructureMessageRFC822{NumLines: r.number(), Envelope: r.envelope()}
		if !r.failed {
			bs.MessageRFC822.BodyStructure = r.body(depth + 1)
		}
	}
	return bs
}

func (r *decoder) multipart(depth int) imap.BodyStructure {
	bs := &imap.BodyStructureMultiPart{
		Subtype:  r.text(),
		Extended: &imap.BodyStructureMultiPartExt{Params: r.params()},
	}
	bs.Extended.Disposition, bs.Extended.Language, bs.Extended.Location = r.extension()
	n := r.length()
	if n == 0 {
		r.fail() // would panic when written to a client
	}
	for ; n > 0 && !r.failed; n-- {
		bs.Children = append(bs.Children, r.body(depth+1))
	}
	return bs
}
