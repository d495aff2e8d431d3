package syntax

import (
	"bytes"
	"encoding/base64"
	"strings"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// Login is LOGIN (RFC 9051, section 6.2.3).
type Login struct {
	User, Password string
}

// Authenticate is AUTHENTICATE (RFC 9051, section 6.2.2) with the initial response of SASL-IR (RFC 4959).
type Authenticate struct {
	Mechanism  string // in capitals
	Initial    []byte // decoded
	HasInitial bool   // there is an initial response, which may be empty ("=")
}

// IDField is a field of ID (RFC 2971, section 3.3).
type IDField struct {
	Name  string
	Value string
	Null  bool // the value is NIL
}

// ParseLogin reads the arguments of LOGIN.
func ParseLogin(r *wire.Reader) (l Login, err error) {
	if err = r.SP(); err != nil {
		return l, err
	}
	if l.User, err = r.AString(); err != nil {
		return l, err
	}
	if err = r.SP(); err != nil {
		return l, err
	}
	if l.Password, err = r.AString(); err != nil {
		return l, err
	}
	return l, r.CRLF()
}

// ParseAuthenticate reads the arguments of AUTHENTICATE. The rest of the exchange is read by ParseSASL.
func ParseAuthenticate(r *wire.Reader) (a Authenticate, err error) {
	if err = r.SP(); err != nil {
		return a, err
	}
	if a.Mechanism, err = r.Atom(); err != nil {
		return a, err
	}
	a.Mechanism = strings.ToUpper(a.Mechanism)
	if r.Accept(' ') {
		initial := r.Rest()
		a.HasInitial = true
		if len(initial) == 0 {
			return a, wire.Bad("initial response is missing")
		}
		if string(initial) != "=" {
			if a.Initial, err = decode64(initial); err != nil {
				return a, err
			}
		}
	}
	return a, r.CRLF()
}

// ParseSASL reads a client's response of a SASL exchange. cancelled tells that the client ended it with "*"
// (RFC 9051, section 6.2.2).
func ParseSASL(r *wire.Reader) (response []byte, cancelled bool, err error) {
	line, err := r.Answer()
	if err != nil {
		return nil, false, err
	}
	if string(line) == "*" {
		return nil, true, nil
	}
	response, err = decode64(line)
	return response, false, err
}

func decode64(b []byte) ([]byte, error) {
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	n, err := base64.StdEncoding.Decode(raw, b)
	if err != nil || bytes.IndexByte(b, '\r') >= 0 { // which the decoder leaves out
		return nil, wire.Bad("SASL response is not base64")
	}
	return raw[:n], nil
}

// ParseDone reads the end of IDLE (RFC 2177).
func ParseDone(r *wire.Reader) error {
	line, err := r.Answer()
	if err != nil {
		return err
	}
	if !bytes.EqualFold(line, []byte("DONE")) {
		return wire.Bad("IDLE is ended by DONE")
	}
	return nil
}

// ParseID reads the argument of ID; NIL gives no fields.
func ParseID(r *wire.Reader) (fields []IDField, err error) {
	if err = r.SP(); err != nil {
		return nil, err
	}
	if r.Nil() {
		return nil, r.CRLF()
	}
	err = r.List(func() error {
		name, err := r.String()
		if err != nil {
			return err
		}
		if err = r.SP(); err != nil {
			return err
		}
		value, ok, err := r.NString()
		fields = append(fields, IDField{Name: strings.ToLower(name), Value: value, Null: !ok})
		return err
	})
	if err != nil {
		return nil, err
	}
	return fields, r.CRLF()
}

// ParseEnable reads the arguments of ENABLE (RFC 5161): names of capabilities, in capitals.
func ParseEnable(r *wire.Reader) (names []string, err error) {
	for len(names) == 0 || r.Peek() == ' ' {
		if err = r.SP(); err != nil {
			return nil, err
		}
		if err = r.Item(); err != nil {
			return nil, err
		}
		name, err := r.Atom()
		if err != nil {
			return nil, err
		}
		names = append(names, strings.ToUpper(name))
	}
	return names, r.CRLF()
}

// ParseCompress reads the argument of COMPRESS (RFC 4978): the mechanism, in capitals.
func ParseCompress(r *wire.Reader) (string, error) {
	if err := r.SP(); err != nil {
		return "", err
	}
	mechanism, err := r.Atom()
	if err != nil {
		return "", err
	}
	return strings.ToUpper(mechanism), r.CRLF()
}

// WriteID writes an ID response (RFC 2971, section 3.2).
func WriteID(w *wire.Writer, fields []IDField) {
	w.Raw("* ID ")
	if len(fields) == 0 {
		w.Raw("NIL\r\n")
		return
	}
	separator := byte('(')
	for _, f := range fields {
		w.Byte(separator)
		separator = ' '
		w.String(f.Name)
		w.SP()
		w.NString(f.Value, !f.Null)
	}
	w.Raw(")\r\n")
}
