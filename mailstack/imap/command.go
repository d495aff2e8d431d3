package imap

import (
	"errors"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/imap/wire"
)

// Results of commands, for the counter.
const (
	resultOK  = "ok"
	resultNo  = "no"
	resultBad = "bad"
)

// command is an entry of the table of commands.
type command struct {
	run func(*Session, *call) error
	// selected: a mailbox must be selected.
	selected bool
	// numbers: no message may lose its number while it runs, nor at its end (RFC 9051, 7.5.1).
	numbers bool
	// expunges: it removes messages, and the client must hear which (RFC 9051, 6.4.3).
	expunges bool
}

// call is a command under way.
type call struct {
	tag  string
	name string // in capitals, "UID FETCH" and the like as one
	uid  bool   // the UID variant
	// code and text of the answer, when all goes well; the text defaults to "NAME completed".
	code string
	text string
	// answered: the command has written its own tagged response, or there is none.
	answered bool
}

// commands are all that a client may send, with their sections in RFC 9051 or their RFC.
var commands = map[string]command{
	"CAPABILITY":     {run: (*Session).capability},    // 6.1.1
	"NOOP":           {run: (*Session).noop},          // 6.1.2
	"LOGOUT":         {run: (*Session).logout},        // 6.1.3
	"ID":             {run: (*Session).id},            // RFC 2971
	"ENABLE":         {run: (*Session).enable},        // 6.3.1
	"SELECT":         {run: (*Session).selectMailbox}, // 6.3.2
	"EXAMINE":        {run: (*Session).selectMailbox}, // 6.3.3
	"CREATE":         {run: (*Session).create},        // 6.3.4
	"DELETE":         {run: (*Session).deleteMailbox}, // 6.3.5
	"RENAME":         {run: (*Session).rename},        // 6.3.6
	"SUBSCRIBE":      {run: (*Session).subscribe},     // 6.3.7
	"UNSUBSCRIBE":    {run: (*Session).subscribe},     // 6.3.8
	"LIST":           {run: (*Session).list},          // 6.3.9
	"LSUB":           {run: (*Session).lsub},          // RFC 3501, 6.3.9
	"NAMESPACE":      {run: (*Session).namespace},     // 6.3.10
	"STATUS":         {run: (*Session).status},        // 6.3.11
	"APPEND":         {run: (*Session).append},        // 6.3.12
	"IDLE":           {run: (*Session).idle},          // 6.3.13
	"SETACL":         {run: (*Session).setACL},        // RFC 4314
	"DELETEACL":      {run: (*Session).deleteACL},     // RFC 4314
	"GETACL":         {run: (*Session).getACL},        // RFC 4314
	"LISTRIGHTS":     {run: (*Session).listRights},    // RFC 4314
	"NOTIFY":         {run: (*Session).notify},        // RFC 5465
	"MYRIGHTS":       {run: (*Session).myRights},      // RFC 4314
	"GETMETADATA":    {run: (*Session).getMetadata},   // RFC 5464
	"SETMETADATA":    {run: (*Session).setMetadata},   // RFC 5464
	"GETQUOTA":       {run: (*Session).getQuota},      // RFC 9208
	"GETQUOTAROOT":   {run: (*Session).getQuotaRoot},  // RFC 9208
	"SETQUOTA":       {run: (*Session).setQuota},      // RFC 9208
	"CLOSE":          {run: (*Session).close, selected: true},
	"UNSELECT":       {run: (*Session).close, selected: true},
	"EXPUNGE":        {run: (*Session).expunge, selected: true, expunges: true},
	"UID EXPUNGE":    {run: (*Session).expunge, selected: true, expunges: true},
	"SEARCH":         {run: (*Session).search, selected: true, numbers: true},
	"UID SEARCH":     {run: (*Session).search, selected: true},
	"SORT":           {run: (*Session).sort, selected: true, numbers: true}, // RFC 5256
	"UID SORT":       {run: (*Session).sort, selected: true},
	"THREAD":         {run: (*Session).thread, selected: true, numbers: true}, // RFC 5256
	"UID THREAD":     {run: (*Session).thread, selected: true},
	"FETCH":          {run: (*Session).fetch, selected: true, numbers: true},
	"UID FETCH":      {run: (*Session).fetch, selected: true},
	"STORE":          {run: (*Session).storeFlags, selected: true, numbers: true},
	"UID STORE":      {run: (*Session).storeFlags, selected: true},
	"COPY":           {run: (*Session).transfer, selected: true},
	"UID COPY":       {run: (*Session).transfer, selected: true},
	"MOVE":           {run: (*Session).transfer, selected: true, expunges: true},
	"UID MOVE":       {run: (*Session).transfer, selected: true, expunges: true},
	"REPLACE":        {run: (*Session).replace, selected: true, expunges: true}, // RFC 8508
	"UID REPLACE":    {run: (*Session).replace, selected: true, expunges: true},
	"UNAUTHENTICATE": {run: (*Session).unauthenticate},       // RFC 8437
	"COMPRESS":       {run: (*Session).compress},             // RFC 4978
	"CHECK":          {run: (*Session).noop, selected: true}, // RFC 3501, 6.4.1
}

// command reads and answers one command. Its error ends the session.
func (s *Session) command() error {
	c, err := s.begin()
	if err == nil {
		err = s.run(c)
	}
	return s.finish(c, err)
}

// begin reads a tag and a name.
func (s *Session) begin() (*call, error) {
	c := &call{tag: "*"}
	tag, err := s.r.Tag()
	if err != nil {
		return c, err
	}
	c.tag = tag
	c.name, err = syntax.Command(s.r)
	c.uid = strings.HasPrefix(c.name, "UID ")
	return c, err
}

func (s *Session) run(c *call) error {
	command, known := commands[c.name]
	switch {
	case !known:
		c.name = ""
		return bad("Unknown command")
	case command.selected && s.selected == nil:
		return bad("No mailbox is selected")
	}
	if _, variant := commands["UID "+c.name]; s.enabled.uidOnly && variant && c.name != "EXPUNGE" {
		return errUIDRequired
	}
	if s.reviewRights(); s.ended {
		return nil
	}
	before := s.selected
	s.uidCommand = c.uid
	err := command.run(s, c)
	if s.ended || c.answered {
		return err
	}
	if s.selected != nil && s.selected == before {
		s.tellRights()
		if command.expunges {
			s.sync(true)
		} else {
			s.update(!command.numbers)
		}
	}
	s.deliver()
	return err
}

// finish writes the tagged response. It returns errors after which nothing more can be read.
func (s *Session) finish(c *call, err error) error {
	if s.ended {
		return nil
	}
	var syntax *wire.SyntaxError
	var reply *imap.Error
	switch {
	case err == nil:
	case errors.As(err, &syntax):
		reply = bad(syntax.Text)
	case errors.Is(err, wire.ErrTooBig):
		reply = no(imap.ResponseCodeTooBig, "Literal is too big")
	case errors.As(err, &reply):
	default:
		return err
	}
	if reply == nil {
		s.errors = 0
		s.count(c, resultOK)
		if !c.answered {
			s.tagged(c, "OK", c.code, c.text)
		}
		return nil
	}
	if derr := s.r.Discard(); derr != nil {
		return derr
	}
	if reply.Type == imap.StatusResponseTypeBad {
		s.count(c, resultBad)
		if s.errors++; s.errors > maxErrors {
			s.bye("Too many errors")
			return nil
		}
	} else {
		s.count(c, resultNo)
	}
	s.tagged(c, string(reply.Type), string(reply.Code), reply.Text)
	return nil
}

// tagged ends a command (RFC 9051, 7.1).
func (s *Session) tagged(c *call, status, code, text string) {
	s.w.Raw(c.tag + " " + status + " ")
	if code != "" {
		s.w.Raw("[" + code + "] ")
	}
	if text == "" {
		text = c.name + " completed"
	}
	s.w.Raw(text + "\r\n")
}

func (s *Session) count(c *call, result string) {
	name := strings.TrimPrefix(c.name, "UID ")
	if name == "" { // not understood
		name = "OTHER"
	}
	if name != "IDLE" || result != resultOK { // which was counted as it began
		s.server.commands.Inc(name, result)
	}
}
