package smtp

import (
	"strconv"
	"strings"
)

// parameters of a MAIL or RCPT command (RFC 5321, 4.1.2): NAME or NAME=value, each once.
func parseParameters(s string) (map[string]string, bool) {
	out := map[string]string{}
	if s != "" && s[0] != ' ' {
		return nil, false
	}
	for field := range strings.FieldsSeq(s) {
		name, value, _ := strings.Cut(field, "=")
		name = strings.ToUpper(name)
		if _, twice := out[name]; twice || name == "" || !isAll(name, "-") {
			return nil, false
		}
		out[name] = value
	}
	return out, true
}

func badParameter(name string) *Error {
	return Fail(501, 5, 5, 4, "Invalid value of parameter "+name)
}

func unknownParameter() *Error {
	return Fail(555, 5, 5, 4, "Parameter not recognized or not implemented")
}

func (s *Server) mailParameters(m *Mail, params map[string]string) error {
	for name, value := range params {
		switch {
		case name == "SIZE": // RFC 1870
			n, err := strconv.ParseUint(value, 10, 63)
			if err != nil {
				return badParameter(name)
			}
			if s.MaxMessageBytes > 0 && int64(n) > s.MaxMessageBytes {
				return errTooLarge
			}
			m.Size = int64(n)
		case name == "BODY": // RFC 6152
			if v := strings.ToUpper(value); v != "7BIT" && v != "8BITMIME" {
				return badParameter(name)
			}
		case name == "AUTH" && s.Mechanisms != nil: // RFC 4954, 5: who submits is known from the login
			if _, ok := decodeXtext(value); !ok || value == "" {
				return badParameter(name)
			}
		case name == "ENVID" && s.DSN: // RFC 3461, 4.4
			id, ok := decodeXtext(value)
			if !ok || id == "" || len(id) > 100 {
				return badParameter(name)
			}
			m.EnvelopeID = id
		case name == "RET" && s.DSN:
			if v := strings.ToUpper(value); v != "FULL" && v != "HDRS" {
				return badParameter(name)
			}
		default:
			return unknownParameter()
		}
	}
	return nil
}

func (s *Server) rcptParameters(params map[string]string) error {
	for name, value := range params {
		if !s.DSN || name != "NOTIFY" && name != "ORCPT" {
			return unknownParameter()
		}
		if value == "" || len(value) > 500 {
			return badParameter(name)
		}
	}
	return nil
}

// decodeXtext undoes RFC 3461, 4: +HH stands for a character. What it gives is printable ASCII.
func decodeXtext(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			if i+2 >= len(s) {
				return "", false
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			c = byte(n)
			i += 2
		}
		if c < ' ' || c > '~' {
			return "", false
		}
		b.WriteByte(c)
	}
	return b.String(), true
}
