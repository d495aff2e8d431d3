package imap

import (
	"bytes"
	"net"

	"gouv.tg/messagerie/mailstack/telemetry"
)

// wire is a session's connection. It counts commands as their tagged responses are written: the library answers some of
// them without asking the session. It relies on the library writing each response line on its own, which it does because
// it flushes at the end of every line.
type wire struct {
	net.Conn
	commands *telemetry.Counter

	// Of the goroutine that serves commands, which alone writes tagged responses; what Idle and Bye write has no tag.
	command string // that has come to the session since the last tagged response
	content bool   // what is written now may be text of messages
}

// Results of commands.
const (
	resultOK  = "ok"
	resultNo  = "no"
	resultBad = "bad"
)

// Write implements net.Conn. A command is counted before the client can know of its end.
func (w *wire) Write(p []byte) (int, error) {
	if len(p) > 0 && p[0] != '*' && p[0] != '+' && !w.content {
		w.count(p)
	}
	return w.Conn.Write(p)
}

func (w *wire) count(p []byte) {
	command, result := tagged(p)
	if result == "" {
		return
	}
	if command == "" {
		command = w.command
	}
	w.command = ""
	switch {
	case command == "": // not understood, or refused by the library
		w.commands.Inc("OTHER", result)
	case command != "IDLE" || result != resultOK: // IDLE was counted as it began
		w.commands.Inc(command, result)
	}
}

// tagged reads a tagged response line as the library writes it: "TAG OK [CODE …] FETCH completed". result is empty when p
// is something else; a command is named only in success.
func tagged(p []byte) (command, result string) {
	line, found := bytes.CutSuffix(p, []byte("\r\n"))
	if !found || bytes.IndexByte(line, '\n') >= 0 {
		return "", ""
	}
	_, line, _ = bytes.Cut(line, []byte(" "))
	status, text, _ := bytes.Cut(line, []byte(" "))
	switch string(status) {
	case "NO":
		return "", resultNo
	case "BAD":
		return "", resultBad
	case "OK":
		text, found = bytes.CutSuffix(text, []byte(" completed"))
		if !found {
			return "", ""
		}
		return string(text[bytes.LastIndexByte(text, ' ')+1:]), resultOK
	}
	return "", ""
}
