package smtp

import "bytes"

// Bounds of a reply.
const (
	maxReplyLines = 128
	maxReplyText  = 16 << 10
)

// lineReader is what a reply is read from; wire.Conn implements it.
type lineReader interface{ ReadLine() ([]byte, error) }

// reply is a server's answer. Its text is kept only where it is asked for.
type reply struct {
	code     int
	enhanced string
	text     string
}

func (r *reply) err() *Error { return &Error{Code: r.code, Enhanced: r.enhanced, Text: r.text} }

// ok reports whether the reply is positive (2yz).
func (r *reply) ok() bool { return r.code/100 == 2 }

// readReply reads one reply of up to 128 lines (RFC 5321, 4.2). The text of a positive one is only kept when asked for.
func readReply(from lineReader, keep bool) (reply, error) {
	var r reply
	for lines := 0; ; lines++ {
		if lines == maxReplyLines {
			return r, &ProtocolError{r.text[:min(len(r.text), 80)], "at most 128 lines"}
		}
		line, err := from.ReadLine()
		if err != nil {
			return r, err
		}
		code, last, text, ok := parseLine(line)
		if !ok {
			return r, &ProtocolError{string(line[:min(len(line), 80)]), "three digits, then a space or a hyphen and text"}
		}
		if lines > 0 && code != r.code {
			return r, &ProtocolError{string(line[:min(len(line), 80)]), "the same code on every line"}
		}
		if !keep && code < 400 {
			r.code = code
			if last {
				return r, nil
			}
			continue
		}
		enhanced, rest := splitEnhanced(code, text)
		if lines == 0 {
			r.code, r.enhanced, r.text = code, string(enhanced), string(rest)
		} else if len(r.text)+len(rest) < maxReplyText {
			if string(enhanced) != r.enhanced {
				rest = text // only a repeated code is no text
			}
			r.text += "\n" + string(rest)
		}
		if last {
			return r, nil
		}
	}
}

// parseLine takes one reply line apart: "250-SIZE 1000" or "250 OK" or "250".
func parseLine(line []byte) (code int, last bool, text []byte, ok bool) {
	if len(line) < 3 {
		return 0, false, nil, false
	}
	for _, digit := range line[:3] {
		if digit < '0' || digit > '9' {
			return 0, false, nil, false
		}
		code = code*10 + int(digit-'0')
	}
	if code < 200 || code > 599 {
		return 0, false, nil, false
	}
	if len(line) == 3 {
		return code, true, nil, true
	}
	switch line[3] {
	case ' ':
		return code, true, line[4:], true
	case '-':
		return code, false, line[4:], true
	}
	return 0, false, nil, false
}

// splitEnhanced takes the enhanced code off a reply's text (RFC 2034, 4): class.subject.detail, whose class is the
// first digit of the code.
func splitEnhanced(code int, text []byte) (enhanced, rest []byte) {
	word, rest, _ := bytes.Cut(text, []byte{' '})
	if len(word) < 5 || len(word) > 9 || int(word[0]-'0') != code/100 || word[1] != '.' {
		return nil, text
	}
	subject, detail, found := bytes.Cut(word[2:], []byte{'.'})
	if !found || !shortNumber(subject) || !shortNumber(detail) {
		return nil, text
	}
	return word, rest
}

// shortNumber: one to three digits (RFC 3463, 2).
func shortNumber(b []byte) bool {
	for _, digit := range b {
		if digit < '0' || digit > '9' {
			return false
		}
	}
	return len(b) >= 1 && len(b) <= 3
}
