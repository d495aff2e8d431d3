package syntax

import "gouv.tg/messagerie/mailstack/imap/wire"

// Command reads the space after a tag and the name of a command, in capitals; "UID FETCH" and the like are one name. A name
// that is not known is returned too, without what follows it.
func Command(r *wire.Reader) (string, error) {
	if err := r.SP(); err != nil {
		return "", err
	}
	word := r.Keyword()
	if len(word) == 0 {
		return "", wire.Bad("command is missing")
	}
	if string(word) == "UID" {
		if err := r.SP(); err != nil {
			return "", err
		}
		word = r.Keyword()
		if name, ok := uidCommands[string(word)]; ok {
			return name, nil
		}
		return "", wire.BadFound("command after UID", string(word), "COPY, EXPUNGE, FETCH, MOVE, REPLACE, SEARCH, SORT, STORE, THREAD")
	}
	if name, ok := commands[string(word)]; ok {
		return name, nil
	}
	return string(word), nil
}

// uidCommands are the commands that may follow UID, by their own name.
var uidCommands = map[string]string{
	"COPY": "UID COPY", "EXPUNGE": "UID EXPUNGE", "FETCH": "UID FETCH", "MOVE": "UID MOVE", "REPLACE": "UID REPLACE",
	"SEARCH": "UID SEARCH", "SORT": "UID SORT", "STORE": "UID STORE", "THREAD": "UID THREAD",
}

// commands makes the names of commands constants, so that reading them allocates nothing.
var commands = func() map[string]string {
	names := make(map[string]string)
	for _, name := range []string{
		"APPEND", "AUTHENTICATE", "CAPABILITY", "CHECK", "CLOSE", "COMPRESS", "COPY", "CREATE", "DELETE", "DELETEACL", "ENABLE",
		"EXAMINE", "EXPUNGE", "FETCH", "GETACL", "GETMETADATA", "GETQUOTA", "GETQUOTAROOT", "ID", "IDLE", "LIST", "LISTRIGHTS",
		"LOGIN", "LOGOUT", "LSUB", "MOVE", "MYRIGHTS", "NAMESPACE", "NOOP", "NOTIFY", "RENAME", "REPLACE", "SEARCH", "SELECT",
		"SETACL", "SETMETADATA", "SETQUOTA", "SORT", "STARTTLS", "STATUS", "STORE", "SUBSCRIBE", "THREAD", "UNAUTHENTICATE",
		"UNSELECT", "UNSUBSCRIBE",
	} {
		names[name] = name
	}
	return names
}()

// ParseEnd reads the end of a command without arguments.
func ParseEnd(r *wire.Reader) error { return r.CRLF() }
