package store

import (
	"context"
	"errors"
	"fmt"

	"gouv.tg/messagerie/mailstack/store/database"
	"gouv.tg/messagerie/mailstack/store/segment"
)

// maxProblems bounds what Check lists.
const maxProblems = 1000

// rules are queries that must find nothing: each row is a problem, its first column says where.
var rules = []struct{ what, query string }{
	{"has no account",
		"SELECT 'mailbox ' || id FROM mailboxes WHERE account NOT IN (SELECT id FROM accounts)"},
	{"has no state",
		"SELECT 'mailbox ' || id FROM mailboxes WHERE id NOT IN (SELECT mailbox FROM mailbox_state)"},
	{"has a state but no mailbox",
		"SELECT 'mailbox ' || mailbox FROM mailbox_state WHERE mailbox NOT IN (SELECT id FROM mailboxes)"},
	{"has a state but no account",
		"SELECT 'account ' || account FROM account_state WHERE account NOT IN (SELECT id FROM accounts)"},
	{"is removed and still there",
		"SELECT 'mailbox ' || mailbox FROM doomed WHERE mailbox IN (SELECT id FROM mailboxes)"},
	{"has a UIDVALIDITY that was not given yet",
		"SELECT 'mailbox ' || id FROM mailboxes WHERE uid_validity > (SELECT uid_validity FROM meta)"},
	{"has mailboxes but not one INBOX",
		`SELECT 'account ' || account FROM mailboxes GROUP BY account HAVING SUM(name = 'INBOX') <> 1`},
	{"counts its mailboxes wrong",
		`SELECT 'account ' || s.account FROM account_state s WHERE s.mailboxes <> (SELECT COUNT(*) FROM mailboxes m WHERE m.account = s.account)`},
	{"is in no mailbox",
		`SELECT 'mailbox ' || mailbox || ' uid ' || uid FROM messages
		 WHERE mailbox NOT IN (SELECT id FROM mailboxes) AND mailbox NOT IN (SELECT mailbox FROM doomed)`},
	{"has a UID that was not given yet",
		`SELECT 'mailbox ' || m.mailbox || ' uid ' || m.uid FROM messages m JOIN mailbox_state s ON s.mailbox = m.mailbox
		 WHERE m.uid >= s.uid_next OR m.uid < 1`},
	{"has a modseq above its mailbox's",
		`SELECT 'mailbox ' || m.mailbox || ' uid ' || m.uid FROM messages m JOIN mailbox_state s ON s.mailbox = m.mailbox
		 WHERE m.modseq > s.modseq OR m.modseq < 1`},
	{"has a modseq above its account's",
		`SELECT 'mailbox ' || b.id FROM mailboxes b JOIN mailbox_state s ON s.mailbox = b.id JOIN account_state a ON a.account = b.account
		 WHERE s.modseq > a.modseq`},
	{"counts its messages wrong",
		`SELECT 'mailbox ' || s.mailbox FROM mailbox_state s LEFT JOIN (SELECT mailbox, COUNT(*) n, SUM(size) size,
		   SUM(flags & 1 = 0) unseen, SUM(flags & 8 <> 0) deleted FROM messages GROUP BY mailbox) m ON m.mailbox = s.mailbox
		 WHERE (s.messages, s.size, s.unseen, s.deleted) <>
		   (COALESCE(m.n, 0), COALESCE(m.size, 0), COALESCE(m.unseen, 0), COALESCE(m.deleted, 0))`},
	{"counts its messages or bytes wrong",
		`SELECT 'account ' || s.account FROM account_state s LEFT JOIN (SELECT b.account, SUM(bs.messages) n, SUM(bs.size) size
		   FROM mailboxes b JOIN mailbox_state bs ON bs.mailbox = b.id GROUP BY b.account) m ON m.account = s.account
		 WHERE (s.messages, s.used) <> (COALESCE(m.n, 0), COALESCE(m.size, 0))`},
	{"vanished and is still there, or never was",
		`SELECT 'mailbox ' || v.mailbox || ' uid ' || v.uid FROM vanished v JOIN mailbox_state s ON s.mailbox = v.mailbox
		 WHERE v.uid >= s.uid_next OR v.modseq > s.modseq
		   OR EXISTS (SELECT 1 FROM messages m WHERE m.mailbox = v.mailbox AND m.uid = v.uid)`},
	{"counts its vanished messages wrong",
		`SELECT 'mailbox ' || s.mailbox FROM mailbox_state s LEFT JOIN (SELECT mailbox, COUNT(*) n FROM vanished GROUP BY mailbox) v
		 ON v.mailbox = s.mailbox WHERE s.vanished <> COALESCE(v.n, 0)`},
	{"has vanished messages below its floor, or a floor above its modseq",
		`SELECT 'mailbox ' || s.mailbox FROM mailbox_state s WHERE s.floor > s.modseq
		 OR EXISTS (SELECT 1 FROM vanished v WHERE v.mailbox = s.mailbox AND v.modseq <= s.floor)`},
	{"came before one with a lower UID",
		`SELECT 'mailbox ' || mailbox || ' uid ' || uid FROM
		 (SELECT mailbox, uid, added, LAG(added) OVER (PARTITION BY mailbox ORDER BY uid) before FROM messages) WHERE added <= before`},
	{"changed before it came",
		`SELECT 'mailbox ' || mailbox || ' uid ' || uid FROM messages WHERE modseq < added`},
	{"refers to a content that does not exist",
		`SELECT 'mailbox ' || mailbox || ' uid ' || uid FROM messages WHERE content NOT IN (SELECT id FROM contents)`},
	{"refers to a content that does not exist",
		`SELECT 'vault ' || id FROM vault WHERE content NOT IN (SELECT id FROM contents)`},
	{"refers to a content that does not exist",
		`SELECT 'queue item ' || id FROM queue WHERE content NOT IN (SELECT id FROM contents)`},
	{"counts its references wrong",
		`SELECT 'content ' || c.id FROM contents c
		 LEFT JOIN (SELECT content, COUNT(*) n FROM messages GROUP BY content) m ON m.content = c.id
		 LEFT JOIN (SELECT content, COUNT(*) n FROM queue GROUP BY content) q ON q.content = c.id
		 LEFT JOIN (SELECT content, COUNT(*) n FROM vault GROUP BY content) v ON v.content = c.id
		 WHERE c.refs <> COALESCE(m.n, 0) + COALESCE(q.n, 0) + COALESCE(v.n, 0)`},
	{"has an id that was not given yet",
		`SELECT 'content ' || id FROM contents WHERE id >= (SELECT next_content FROM meta)
		 UNION ALL SELECT 'vault ' || id FROM vault WHERE id >= (SELECT next_vault FROM meta)`},
	{"has no account",
		`SELECT 'vault ' || id FROM vault WHERE account NOT IN (SELECT id FROM accounts)
		 UNION ALL SELECT 'subscription to ' || name FROM subscriptions WHERE account NOT IN (SELECT id FROM accounts)
		 UNION ALL SELECT 'annotation ' || name FROM metadata WHERE account <> 0 AND account NOT IN (SELECT id FROM accounts)`},
	{"is on no mailbox",
		`SELECT 'rights of ' || identifier FROM acl WHERE mailbox NOT IN (SELECT id FROM mailboxes)
		 UNION ALL SELECT 'annotation ' || name FROM metadata WHERE mailbox <> 0 AND mailbox NOT IN (SELECT id FROM mailboxes)`},
	{"has not the size of its content",
		`SELECT 'vault ' || v.id FROM vault v JOIN contents c ON c.id = v.content WHERE v.size <> c.length`},
	{"has not the size of its content",
		`SELECT 'mailbox ' || m.mailbox || ' uid ' || m.uid FROM messages m JOIN contents c ON c.id = m.content WHERE m.size <> c.length`},
	{"has no envelope or body structure",
		`SELECT 'mailbox ' || m.mailbox || ' uid ' || m.uid FROM messages m JOIN contents c ON c.id = m.content
		 WHERE c.envelope IS NULL OR c.structure IS NULL`},
	{"lies where another content lies",
		`SELECT 'content ' || MAX(id) FROM contents GROUP BY segment, offset HAVING COUNT(*) > 1`},
	{"lies behind the acknowledged end of the log",
		`SELECT 'content ' || c.id FROM contents c JOIN meta ON c.segment > meta.segment OR c.segment = meta.segment AND c.offset >= meta.offset`},
	{"was delivered to no account",
		`SELECT 'delivery ' || id FROM delivered WHERE account NOT IN (SELECT id FROM accounts)`},
}

// Check looks at the whole store as it was at one moment and reports what does not fit together: SQLite's
// own integrity, references, UIDs, modseqs, counts and quotas; and then at the bytes of every message that is still
// there, against checksum and hash. It reads everything and may run beside writers. At most 1,000 problems are listed.
func (s *Store) Check(ctx context.Context) ([]Problem, error) {
	c := checker{s: s, ctx: ctx}
	err := s.snapshot(ctx, c.check)
	if err == nil {
		err = c.contents(c.end)
	}
	if err != nil && !errors.Is(err, errEnough) {
		return c.problems, fmt.Errorf("cannot check the store: %w", err)
	}
	return c.problems, nil
}

var errEnough = errors.New("enough problems")

type checker struct {
	s        *Store
	ctx      context.Context
	problems []Problem
	end      segment.Position // of the log, as metadata knew it
}

func (c *checker) add(where, what string) error {
	c.problems = append(c.problems, Problem{where, what})
	if len(c.problems) == maxProblems {
		return errEnough
	}
	return c.ctx.Err()
}

func (c *checker) check(db *database.Conn) error {
	err := db.Each(func(r *database.Rows) error {
		if r.Text(0) == "ok" {
			return nil
		}
		return c.add("database", r.Text(0))
	}, "PRAGMA integrity_check")
	if err != nil {
		return err
	}
	for _, rule := range rules {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := db.Each(func(r *database.Rows) error { return c.add(r.Text(0), rule.what) }, rule.query); err != nil {
			return fmt.Errorf("%q: %w", rule.what, err)
		}
	}
	_, err = db.Row(func(r *database.Rows) { c.end = segment.Position{Segment: uint32(r.Int(0)), Offset: r.Int(1)} },
		"SELECT segment, offset FROM meta")
	return err
}
