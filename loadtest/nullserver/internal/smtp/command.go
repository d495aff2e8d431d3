package smtp

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"gouv.tg/messagerie/loadtest/nullserver/internal/mailbox"
)

// command carries out a line and says whether the session goes on.
func (x *session) command(p []byte) bool {
	word, rest, _ := bytes.Cut(p, []byte{' '})
	var upper [8]byte
	verb := appendUpper(upper[:0], word)
	if !x.Commands.Count(verb) {
		x.reply("500 5.5.2 command not known")
		return true
	}
	switch string(verb) {
	case "EHLO", "HELO", "LHLO":
		x.greet(string(verb))
	case "STARTTLS":
		return x.startTLS()
	case "AUTH":
		return x.auth(string(rest))
	case "MAIL":
		x.mailFrom(string(rest))
	case "RCPT":
		x.rcptTo(string(rest))
	case "DATA":
		return x.data()
	case "BDAT":
		return x.bdat(string(rest))
	case "RSET":
		x.transaction = transaction{}
		x.reply("250 2.0.0 reset")
	case "NOOP":
		x.reply("250 2.0.0 OK")
	case "VRFY":
		x.reply("252 2.5.0 try to deliver")
	case "QUIT":
		x.reply("221 2.0.0 bye")
		return false
	}
	return true
}

func appendUpper(dst, word []byte) []byte {
	if len(word) > cap(dst) {
		return dst // no command is as long
	}
	for _, b := range word {
		if b >= 'a' && b <= 'z' {
			b -= 'a' - 'A'
		}
		dst = append(dst, b)
	}
	return dst
}

// auth is AUTH PLAIN (RFC 4616), the response with the command or after it.
func (x *session) auth(arguments string) bool {
	mechanism, response, initial := strings.Cut(arguments, " ")
	switch {
	case !x.greeted:
		x.reply("503 5.5.1 greeting first")
		return true
	case x.role != Submission:
		x.reply("502 5.5.1 AUTH not available")
		return true
	case x.authenticated || x.mail:
		x.reply("503 5.5.1 AUTH not now")
		return true
	case !strings.EqualFold(mechanism, "PLAIN"):
		x.reply("504 5.5.4 mechanism not known")
		return true
	}
	if !initial {
		x.c.Out = append(x.c.Out, "334 \r\n"...)
		line, err := x.c.ReadLine()
		if err != nil {
			return false
		}
		response = string(line)
	}
	raw, err := base64.StdEncoding.DecodeString(response)
	parts := strings.Split(string(raw), "\x00")
	switch {
	case response == "*":
		x.reply("501 5.7.0 cancelled")
	case err != nil || len(parts) != 3 || parts[1] == "":
		x.reply("501 5.5.2 response not understood")
	case x.Accounts != nil && !x.Accounts(parts[1], parts[2]):
		x.reply("535 5.7.8 credentials not accepted")
	default:
		x.authenticated = true
		x.reply("235 2.7.0 welcome")
	}
	return true
}

func (x *session) mailFrom(arguments string) {
	_, parameters, ok := parsePath(arguments, "FROM:")
	switch {
	case !x.greeted:
		x.reply("503 5.5.1 greeting first")
		return
	case x.role == Submission && !x.authenticated:
		x.reply("530 5.7.0 authentication required")
		return
	case x.mail:
		x.reply("503 5.5.1 one sender is enough")
		return
	case !ok:
		x.reply("501 5.1.7 sender not understood")
		return
	}
	for _, parameter := range parameters {
		name, value, _ := strings.Cut(strings.ToUpper(parameter), "=")
		switch {
		case name == "SIZE":
			size, err := strconv.ParseUint(value, 10, 63)
			if err != nil {
				x.reply("501 5.5.4 size not understood")
				return
			}
			if size > MaxMessage {
				x.reply("552 5.3.4 message too big")
				return
			}
		case name == "BODY" && (value == "7BIT" || value == "8BITMIME"):
		case name == "AUTH" && x.role == Submission:
		default:
			x.reply("555 5.5.4 parameter not known")
			return
		}
	}
	x.mail = true
	x.reply("250 2.1.0 sender OK")
}

func (x *session) rcptTo(arguments string) {
	address, parameters, ok := parsePath(arguments, "TO:")
	switch {
	case !x.mail:
		x.reply("503 5.5.1 MAIL first")
	case !ok || address == "":
		x.reply("501 5.1.3 recipient not understood")
	case len(parameters) > 0:
		x.reply("555 5.5.4 parameter not known")
	case len(x.recipients) >= maxRecipients:
		x.reply("452 4.5.3 too many recipients")
	default:
		x.recipients = append(x.recipients, address)
		x.reply("250 2.1.5 recipient OK")
	}
}

// ready says whether a message may come, and answers when it may not.
func (x *session) ready() bool {
	switch {
	case !x.mail:
		x.reply("503 5.5.1 MAIL first")
	case len(x.recipients) == 0:
		x.reply("554 5.5.1 no valid recipients")
	default:
		return true
	}
	return false
}

func (x *session) data() bool {
	if x.chunks != nil {
		x.reply("503 5.5.1 BDAT goes on") // RFC 3030, 3
		return true
	}
	if !x.ready() {
		return true
	}
	x.c.Out = append(x.c.Out, "354 go ahead\r\n"...)
	message := mailbox.Collector{Keep: x.Store.Keep}
	if err := readDots(x.c, message.Take); err != nil {
		return false
	}
	x.deliver(&message)
	return true
}

// bdat is a chunk of a message (RFC 3030). Its bytes come whether it is welcome or not.
func (x *session) bdat(arguments string) bool {
	length, last, _ := strings.Cut(arguments, " ")
	n, err := strconv.ParseUint(length, 10, 63)
	if err != nil || last != "" && !strings.EqualFold(last, "LAST") || n > MaxMessage {
		x.reply("501 5.5.4 chunk not understood")
		return false // where it ends is unknown, or too far away
	}
	take := func([]byte) {}
	accepted := x.ready()
	if accepted {
		if x.chunks == nil {
			x.chunks = &mailbox.Collector{Keep: x.Store.Keep}
		}
		if x.chunks.Size() <= MaxMessage {
			take = x.chunks.Take
		}
	}
	if x.c.Copy(int64(n), take) != nil {
		return false
	}
	switch {
	case !accepted:
	case last != "":
		x.deliver(x.chunks)
	default:
		x.reply("250 2.0.0 chunk taken")
	}
	return true
}
