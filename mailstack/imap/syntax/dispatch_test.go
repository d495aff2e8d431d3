package syntax

import (
	"io"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// appended is all of an APPEND or REPLACE.
type appended struct {
	Mailbox  string
	Replaces string // "UID " or "" and the number, for REPLACE
	Messages []appendedMessage
}

type appendedMessage struct {
	Flags []imap.Flag
	Date  time.Time
	Parts []appendedPart // more than one, or with Catenate
	Cat   bool
}

type appendedPart struct {
	Text   string
	Binary bool
	UTF8   bool
	URL    string
}

func drain(a *Append) (appended, error) {
	all := appended{Mailbox: a.Mailbox}
	for {
		m, err := a.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		message := appendedMessage{Flags: m.Flags, Date: m.Date, Cat: m.Catenate}
		for {
			part, err := m.Part()
			if err == io.EOF {
				break
			}
			if err != nil {
				return all, err
			}
			p := appendedPart{UTF8: part.UTF8, URL: part.URL}
			if part.Literal != nil {
				text, err := io.ReadAll(part.Literal)
				if err != nil {
					return all, err
				}
				p.Text, p.Binary = string(text), part.Literal.Binary()
			}
			message.Parts = append(message.Parts, p)
		}
		all.Messages = append(all.Messages, message)
	}
}

// parse reads the arguments of a command by its name. known is false for a name that is no command.
func parse(name string, r *wire.Reader) (args any, known bool, err error) {
	short, uid := strings.CutPrefix(name, "UID ")
	switch short {
	case "CAPABILITY", "CHECK", "CLOSE", "IDLE", "LOGOUT", "NAMESPACE", "NOOP", "STARTTLS", "UNAUTHENTICATE", "UNSELECT":
		err = ParseEnd(r)
	case "EXPUNGE":
		if uid {
			args, err = ParseUIDExpunge(r)
		} else {
			err = ParseEnd(r)
		}
	case "APPEND":
		var a *Append
		if a, err = ParseAppend(r); err == nil {
			args, err = drain(a)
		}
	case "REPLACE":
		var a *Replace
		if a, err = ParseReplace(r, uid); err == nil {
			var all appended
			all, err = drain(&a.Append)
			all.Replaces = written(false, func(w *wire.Writer) {
				if a.UID {
					w.Raw("UID ")
				}
				w.SeqSet(imap.SeqSet{{Start: a.Number, Stop: a.Number}})
			})
			args = all
		}
	case "COMPRESS":
		args, err = ParseCompress(r)
	case "COPY", "MOVE":
		args, err = ParseCopy(r, uid)
	case "CREATE":
		args, err = ParseCreate(r)
	case "DELETE", "SUBSCRIBE", "UNSUBSCRIBE", "GETACL", "MYRIGHTS", "GETQUOTAROOT":
		args, err = ParseMailbox(r)
	case "DELETEACL", "LISTRIGHTS":
		args, err = ParseMailboxIdentifier(r)
	case "ENABLE":
		args, err = ParseEnable(r)
	case "SELECT", "EXAMINE":
		args, err = ParseSelect(r)
	case "FETCH":
		args, err = ParseFetch(r, uid)
	case "GETMETADATA":
		args, err = ParseGetMetadata(r)
	case "GETQUOTA":
		args, err = ParseGetQuota(r)
	case "ID":
		args, err = ParseID(r)
	case "LIST":
		args, err = ParseList(r)
	case "LSUB":
		args, err = ParseLSub(r)
	case "NOTIFY":
		args, err = ParseNotify(r)
	case "RENAME":
		args, err = ParseRename(r)
	case "SEARCH":
		args, err = ParseSearch(r, uid)
	case "SETACL":
		args, err = ParseSetACL(r)
	case "SETMETADATA":
		args, err = ParseSetMetadata(r)
	case "SETQUOTA":
		args, err = ParseSetQuota(r)
	case "SORT":
		args, err = ParseSort(r, uid)
	case "STATUS":
		args, err = ParseStatus(r)
	case "STORE":
		args, err = ParseStore(r, uid)
	case "THREAD":
		args, err = ParseThread(r, uid)
	default:
		return nil, false, nil
	}
	return args, true, err
}

func written(utf8 bool, write func(w *wire.Writer)) string {
	var b strings.Builder
	w := wire.NewWriter(&b)
	w.UTF8 = utf8
	write(w)
	if err := w.Flush(); err != nil {
		panic(err) // a Builder takes everything
	}
	return b.String()
}
