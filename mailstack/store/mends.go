package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gouv.tg/messagerie/mailstack/store/database"
)

// inTx mends in one operation of the writer, which then reads all states anew: mends change the tables themselves. What is
// refused for one finding does not keep the others from being mended.
func inTx(f func(t *tx, f finding) error) func(context.Context, *Store, []finding) error {
	return allInTx(func(t *tx, list []finding) error {
		for _, one := range list {
			if err := f(t, one); err != nil && !isRefusal(err) && !errors.Is(err, errHeld) {
				return err
			}
			if err := t.flush(); err != nil {
				return err
			}
		}
		return nil
	})
}

func allInTx(f func(t *tx, list []finding) error) func(context.Context, *Store, []finding) error {
	return func(ctx context.Context, s *Store, list []finding) error {
		return s.submit(ctx, &op{apply: func(t *tx) error {
			err := t.flush()
			if err == nil {
				err = t.forget()
			}
			if err == nil {
				err = t.settleAll()
			}
			if err == nil {
				err = t.flush()
			}
			if err == nil {
				err = f(t, list)
			}
			if err == nil {
				err = t.flush()
			}
			if err == nil {
				err = t.forget()
			}
			return err
		}})
	}
}

// errHeld means that a legal hold is on the account.
var errHeld = errors.New("account is on hold")

// statement runs SQL with the first of the keys, or with both, as often as it has places for them.
func statement(text, sql string) mend {
	return mend{text: text, do: inTx(func(t *tx, f finding) error {
		var args []any
		for i := range strings.Count(sql, "?") {
			args = append(args, f.keys[i%2])
		}
		_, err := t.db.Exec(sql, args...)
		return err
	})}
}

// both runs SQL with the first key in all places.
func both(text string, sqls ...string) mend {
	return mend{text: text, do: inTx(func(t *tx, f finding) error { return t.execAll(f.keys[0], sqls...) })}
}

// execAll runs statements with one key in all their places.
func (t *tx) execAll(key int64, sqls ...string) error {
	for _, sql := range sqls {
		if _, err := t.db.Exec(sql, slices.Repeat([]any{key}, strings.Count(sql, "?"))...); err != nil {
			return err
		}
	}
	return nil
}

// ofNobody spares what belongs to an account that has mailboxes, but no row of its own: somebody may know whose they are.
const ofNobody = " AND NOT EXISTS (SELECT 1 FROM mailboxes WHERE mailboxes.account = ?)"

const (
	countMailbox = `UPDATE mailbox_state SET (messages, size, unseen, deleted) = (SELECT COUNT(*), COALESCE(SUM(size), 0),
		COALESCE(SUM(flags & 1 = 0), 0), COALESCE(SUM(flags & 8 <> 0), 0) FROM messages WHERE mailbox = ?),
		vanished = (SELECT COUNT(*) FROM vanished WHERE mailbox = ?) WHERE mailbox = ?`
	countAccount = `UPDATE account_state SET mailboxes = (SELECT COUNT(*) FROM mailboxes WHERE account = ?), (messages, used) =
		(SELECT COALESCE(SUM(s.messages), 0), COALESCE(SUM(s.size), 0) FROM mailboxes b JOIN mailbox_state s ON s.mailbox = b.id
		WHERE b.account = ?) WHERE account = ?`
	raiseMailbox = `UPDATE mailbox_state SET modseq = MAX(modseq, floor,
		COALESCE((SELECT MAX(modseq) FROM messages WHERE mailbox = ?), 0), COALESCE((SELECT MAX(modseq) FROM vanished WHERE mailbox = ?), 0))
		WHERE mailbox = ?`
	raiseAccount = `UPDATE account_state SET modseq = MAX(modseq, COALESCE((SELECT MAX(s.modseq) FROM mailboxes b JOIN mailbox_state s
		ON s.mailbox = b.id WHERE b.account = account_state.account), 0)) WHERE account = (SELECT account FROM mailboxes WHERE id = ?)`
)

var (
	makeAccountState = both("make one", `INSERT INTO account_state (account, used, messages, modseq, mailboxes)
		SELECT ?, 0, 0, COALESCE(MAX(s.modseq), 1), 0 FROM mailboxes b JOIN mailbox_state s ON s.mailbox = b.id WHERE b.account = ?`, countAccount)
	makeMailboxState = mend{text: "make one, with a new UIDVALIDITY", do: inTx(newMailboxState)}
	dropMailboxState = both("forget it", "DELETE FROM mailbox_state WHERE mailbox = ? AND NOT EXISTS (SELECT 1 FROM messages WHERE mailbox = ?)")
	dropAccountState = both("forget it", "DELETE FROM account_state WHERE account = ?"+ofNobody)
	keepMailbox      = both("keep it", "DELETE FROM doomed WHERE mailbox = ?")
	dropPostponed    = both("forget them", "DELETE FROM postponed WHERE mailbox = ?")
	raiseCounters    = mend{text: "count on from it", do: inTx(func(t *tx, _ finding) error { return t.raiseCounters() })}

	takeMessages    = mend{text: "remove it", takes: true, do: inTx(takeMessage)}
	takeVaulted     = mend{text: "remove it", takes: true, do: inTx(takeVaultEntry)}
	takeQueued      = mend{text: "remove it", takes: true, do: inTx(takeQueueItem)}
	computeContents = mend{text: "compute them", do: computeAll}
	sizeVaulted     = statement("correct it", "UPDATE vault SET size = (SELECT length FROM contents WHERE id = content) WHERE account = ? AND id = ?")
	sizeMessages    = statement("correct it", "UPDATE messages SET size = (SELECT length FROM contents WHERE id = content) WHERE mailbox = ? AND uid = ?")
	countReferences = mend{text: "count them", do: allInTx((*tx).countReferences)}

	giveUIDs           = mend{text: "count on from it", do: inTx(giveUID)}
	forgetVanishedUIDs = statement("forget that it vanished", "DELETE FROM vanished WHERE mailbox = ? AND uid = ?")
	renumber           = mend{text: "number the mailbox's messages anew", do: allInTx((*tx).renumberAll)}
	raiseModSeqs       = both("raise it", raiseMailbox, raiseAccount)
	forgetBelowFloor   = both("forget them", "DELETE FROM vanished WHERE mailbox = ? AND modseq <= (SELECT floor FROM mailbox_state WHERE mailbox = ?)")
	countMailboxes     = both("count them", countMailbox)
	countAccounts      = both("count them", countAccount)
	makeInbox          = mend{text: "make one", do: inTx(newInbox)}

	dropSubscriptions      = both("forget it", "DELETE FROM subscriptions WHERE account = ?"+ofNobody)
	dropAnnotations        = both("forget it", "DELETE FROM metadata WHERE account = ?"+ofNobody)
	dropRights             = both("forget it", "DELETE FROM acl WHERE mailbox = ?")
	dropMailboxAnnotations = both("forget it", "DELETE FROM metadata WHERE mailbox = ?")
	dropDeliveries         = both("forget it", "DELETE FROM delivered WHERE id = ?")
)

// newMailboxState makes the state of a mailbox that lost it. Nobody knows which UIDs were given: clients must forget theirs.
func newMailboxState(t *tx, f finding) error {
	a, err := t.account(f.Account)
	if err != nil {
		return err
	}
	if t.uidValidity == math.MaxUint32 {
		return ErrTooManyBoxes
	}
	id := f.keys[0]
	var last int64
	if _, err := t.db.Row(func(r *database.Rows) { last = max(0, r.Int(0), r.Int(1)) },
		"SELECT (SELECT MAX(uid) FROM messages WHERE mailbox = ?), (SELECT MAX(uid) FROM vanished WHERE mailbox = ?)", id, id); err != nil {
		return err
	}
	t.uidValidity++
	modseq := t.nextModSeq(a)
	if _, err := t.db.Exec("UPDATE mailboxes SET uid_validity = ? WHERE id = ?", t.uidValidity, id); err != nil {
		return err
	}
	if _, err := t.db.Exec("INSERT INTO mailbox_state VALUES (?, ?, ?, 0, 0, 0, 0, 0, ?)", id, last+1, modseq, modseq); err != nil {
		return err
	}
	return t.execAll(id, "DELETE FROM vanished WHERE mailbox = ?", countMailbox)
}

// raiseCounters has what is given next come after all that was given.
func (t *tx) raiseCounters() error {
	_, err := t.db.Row(func(r *database.Rows) {
		t.uidValidity = max(t.uidValidity, uint32(r.Int(0)))
		t.nextContent, t.nextVault = max(t.nextContent, ContentID(r.Int(1)+1)), max(t.nextVault, r.Int(2)+1)
	}, "SELECT (SELECT MAX(uid_validity) FROM mailboxes), (SELECT MAX(id) FROM contents), (SELECT MAX(id) FROM vault)")
	return err
}

// giveUID has UIDs above one be given next, and modseqs above its. A message without a UID gets one.
func giveUID(t *tx, f finding) error {
	id, uid := f.keys[0], f.keys[1]
	if uid >= math.MaxUint32 {
		return nil
	}
	if uid >= 1 {
		if _, err := t.db.Exec("UPDATE mailbox_state SET uid_next = ? WHERE mailbox = ? AND uid_next <= ?", uid+1, id, uid); err != nil {
			return err
		}
		return t.execAll(id, raiseMailbox, raiseAccount)
	}
	if _, err := t.db.Exec("UPDATE messages SET uid = (SELECT uid_next FROM mailbox_state WHERE mailbox = ?) WHERE mailbox = ? AND uid = ?",
		id, id, uid); err != nil {
		return err
	}
	return t.execAll(id, "UPDATE mailbox_state SET uid_next = uid_next + 1 WHERE mailbox = ?")
}

// renumberAll gives the messages of mailboxes new modseqs that ascend with UIDs, as if all had come just now.
func (t *tx) renumberAll(list []finding) error {
	done := make(map[int64]bool)
	for _, f := range list {
		id := f.keys[0]
		if done[id] {
			continue
		}
		done[id] = true
		a, err := t.account(f.Account)
		if err != nil {
			if isRefusal(err) {
				continue
			}
			return err
		}
		n, err := t.db.Exec(`UPDATE messages SET modseq = ? + x.n, added = ? + x.n
			FROM (SELECT uid, ROW_NUMBER() OVER (ORDER BY uid) n FROM messages WHERE mailbox = ?) x WHERE mailbox = ? AND messages.uid = x.uid`,
			a.modseq, a.modseq, id, id)
		if err != nil {
			return err
		}
		a.modseq += uint64(n)
		t.touch(a)
		if _, err := t.db.Exec("UPDATE mailbox_state SET modseq = ? WHERE mailbox = ?", a.modseq, id); err != nil {
			return err
		}
	}
	return nil
}

// countReferences counts the references to contents. One that has none stays: nothing is taken away.
func (t *tx) countReferences(list []finding) error {
	counts := make(map[int64]int64, len(list))
	for _, f := range list {
		counts[f.keys[0]] = 0
	}
	for _, table := range []string{"messages", "queue", "vault"} {
		err := t.db.Each(func(r *database.Rows) error { counts[r.Int(0)] += r.Int(1); return nil },
			"SELECT content, COUNT(*) FROM "+table+" WHERE content IN (SELECT value FROM json_each(?)) GROUP BY content", keyList(list))
		if err != nil {
			return err
		}
	}
	for id, n := range counts {
		if _, err := t.db.Exec("UPDATE contents SET refs = ? WHERE id = ?", n, id); err != nil {
			return err
		}
	}
	return nil
}

// keyList is the first keys as a JSON array.
func keyList(list []finding) string {
	texts := make([]string, len(list))
	for i, f := range list {
		texts[i] = strconv.FormatInt(f.keys[0], 10)
	}
	return "[" + strings.Join(texts, ",") + "]"
}

func newInbox(t *tx, f finding) error {
	a, err := t.account(f.Account)
	if err != nil {
		return err
	}
	if m, err := t.named(a, inbox); m != nil || err != nil {
		return err
	}
	_, err = t.makeMailbox(a, inbox, "", true, nil)
	return err
}

// computeAll computes envelopes and body structures from bytes.
func computeAll(ctx context.Context, s *Store, list []finding) error {
	for _, f := range list {
		raw, err := s.ReadContent(ctx, ContentID(f.keys[0]))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			continue // its bytes are lost; that is told for itself
		}
		c := newContent(raw, true)
		c.record.Release()
		err = s.submit(ctx, &op{apply: func(t *tx) error {
			_, err := t.db.Exec("UPDATE contents SET envelope = ?, structure = ?, preview = ?, sent = ?, thread = ? WHERE id = ?",
				c.envelope, c.structure, c.preview, c.sent, c.thread(ContentID(f.keys[0])), f.keys[0])
			return err
		}})
		if err != nil {
			return fmt.Errorf("cannot compute content %d: %w", f.keys[0], err)
		}
	}
	return nil
}
