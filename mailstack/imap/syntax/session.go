package syntax

import (
	"strings"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// IDField is a field of ID (RFC 2971, section 3.3).
type IDField struct {
	Name  string
	Value string
	Null  bool // the value is NIL
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
