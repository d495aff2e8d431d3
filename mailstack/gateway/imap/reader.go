package imap

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// Limits of what an unknown peer may send.
const (
	maxLine    = 8 << 10  // bytes, with the end (RFC 9051, 4)
	maxSASL    = 12 << 10 // bytes of a line with a response: tokens are long (RFC 7628)
	maxLiteral = 4 << 10  // bytes; RFC 7888's limit for LITERAL-
	maxTag     = 64
)

var (
	errTooLong = errors.New("line is too long")
	errSyntax  = errors.New("syntax error")
	errLiteral = errors.New("literal is too large")
)

// reader reads commands strictly, byte for byte bounded.
type reader struct {
	r     *bufio.Reader
	write func(string) error
	line  int // bytes of the command so far, but for literals
	limit int // of line
}

func newReader(r io.Reader, write func(string) error) *reader {
	return &reader{r: bufio.NewReaderSize(r, 1024), write: write}
}

// command is one command line.
type command struct {
	tag  string
	name string   // upper case
	args []string // only for LOGIN and AUTHENTICATE
	rest string   // of all others, unparsed
}

func (r *reader) byte() (byte, error) {
	if r.line >= r.limit {
		return 0, errTooLong
	}
	b, err := r.r.ReadByte()
	if err == nil {
		r.line++
	}
	return b, err
}

// command reads one command. After errSyntax the line has been read to its end and tag is set if it could be read;
// after any other error the session is over.
func (r *reader) command() (cmd command, err error) {
	r.line, r.limit = 0, maxLine
	cmd.tag, err = r.word(maxTag, isTagChar)
	if err != nil {
		return command{}, r.skip(err)
	}
	if cmd.tag == "" {
		return command{}, r.skip(errSyntax)
	}
	if err := r.expect(' '); err != nil {
		return cmd, r.skip(err)
	}
	name, err := r.word(32, isAtomChar)
	if err != nil {
		return cmd, r.skip(err)
	}
	if name == "" {
		return cmd, r.skip(errSyntax)
	}
	cmd.name = strings.ToUpper(name)
	switch cmd.name {
	case "LOGIN":
		cmd.args, err = r.arguments(2, true)
	case "AUTHENTICATE":
		r.limit = maxSASL
		cmd.args, err = r.arguments(2, false)
	default:
		cmd.rest, err = r.rest()
	}
	return cmd, r.skip(err)
}

// skip reads the rest of a line that cannot be understood.
func (r *reader) skip(err error) error {
	if !errors.Is(err, errSyntax) {
		return err
	}
	r.r.UnreadByte() // the byte that was not accepted may be the end of the line
	if _, err := r.rest(); err != nil {
		return err
	}
	return errSyntax
}

// word reads bytes of one kind, up to the first of another kind, which stays unread.
func (r *reader) word(limit int, is func(byte) bool) (string, error) {
	var b strings.Builder
	for {
		c, err := r.byte()
		if err != nil {
			return "", err
		}
		if !is(c) {
			r.r.UnreadByte()
			r.line--
			return b.String(), nil
		}
		if b.Len() == limit {
			return "", errSyntax
		}
		b.WriteByte(c)
	}
}

func (r *reader) expect(want byte) error {
	c, err := r.byte()
	if err != nil {
		return err
	}
	if c != want {
		return errSyntax
	}
	return nil
}

// end reads CRLF. A bare LF is taken too: it ends nothing but a command of this peer.
func (r *reader) end() error {
	c, err := r.byte()
	if err != nil {
		return err
	}
	if c == '\r' {
		if c, err = r.byte(); err != nil {
			return err
		}
	}
	if c != '\n' {
		return errSyntax
	}
	return nil
}

// rest reads up to the end of the line.
func (r *reader) rest() (string, error) {
	var b strings.Builder
	for {
		c, err := r.byte()
		if err != nil {
			return "", err
		}
		if c == '\n' {
			return strings.TrimSuffix(b.String(), "\r"), nil
		}
		b.WriteByte(c)
	}
}

// arguments reads up to n of them and the end of the line; all says that there must be n.
func (r *reader) arguments(n int, all bool) ([]string, error) {
	var args []string
	for len(args) < n {
		next, err := r.r.Peek(1)
		if err != nil {
			return nil, err
		}
		if next[0] != ' ' && !all && len(args) > 0 {
			break
		}
		if err := r.expect(' '); err != nil {
			return nil, err
		}
		arg, err := r.astring()
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	return args, r.end()
}

// base64Line reads the answer to a continuation request.
func (r *reader) base64Line() (string, error) {
	r.line, r.limit = 0, maxSASL
	return r.rest()
}

// buffered takes what has been read beyond the last command.
func (r *reader) buffered() []byte {
	b, _ := r.r.Peek(r.r.Buffered())
	return b
}

func isAtomChar(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`(){%*"\]`, c) < 0
}

func isAstringChar(c byte) bool { return isAtomChar(c) || c == ']' }

func isTagChar(c byte) bool { return isAstringChar(c) && c != '+' }
