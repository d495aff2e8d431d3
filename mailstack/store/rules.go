package store

// accountOf is the account that has the mailbox in a column.
func accountOf(column string) string {
	return "(SELECT account FROM mailboxes WHERE id = " + column + ")"
}

// rules are in the order in which they are mended: what others are computed from comes first.
var rules = []rule{
	{what: "has no account",
		query: "SELECT account, 'mailbox ' || id, id, 0 FROM mailboxes WHERE account NOT IN (SELECT id FROM accounts)"},
	{what: "has mailboxes but no state",
		query: `SELECT account, 'account ' || account, account, 0 FROM mailboxes
			WHERE account IN (SELECT id FROM accounts) AND account NOT IN (SELECT account FROM account_state) GROUP BY account`,
		mend: &makeAccountState},
	{what: "has no state",
		query: "SELECT account, 'mailbox ' || id, id, 0 FROM mailboxes WHERE id NOT IN (SELECT mailbox FROM mailbox_state)",
		mend:  &makeMailboxState},
	{what: "has a state but no mailbox",
		query: "SELECT 0, 'mailbox ' || mailbox, mailbox, 0 FROM mailbox_state WHERE mailbox NOT IN (SELECT id FROM mailboxes)",
		mend:  &dropMailboxState},
	{what: "has a state but no account",
		query: "SELECT account, 'account ' || account, account, 0 FROM account_state WHERE account NOT IN (SELECT id FROM accounts)",
		mend:  &dropAccountState},
	{what: "is removed and still there",
		query: "SELECT account, 'mailbox ' || mailbox, mailbox, 0 FROM doomed WHERE mailbox IN (SELECT id FROM mailboxes)",
		mend:  &keepMailbox},
	{what: "is in no mailbox",
		query: `SELECT 0, 'mailbox ' || mailbox || ' uid ' || uid, mailbox, uid FROM messages
			WHERE mailbox NOT IN (SELECT id FROM mailboxes) AND mailbox NOT IN (SELECT mailbox FROM doomed)`},
	{what: "are of no mailbox",
		query: "SELECT DISTINCT 0, 'postponed flags of mailbox ' || mailbox, mailbox, 0 FROM postponed WHERE mailbox NOT IN (SELECT id FROM mailboxes)",
		mend:  &dropPostponed},

	{what: "has a UIDVALIDITY that was not given yet",
		query: "SELECT account, 'mailbox ' || id, id, 0 FROM mailboxes WHERE uid_validity > (SELECT uid_validity FROM meta)",
		mend:  &raiseCounters},
	{what: "has an id that was not given yet",
		query: "SELECT 0, 'content ' || id, id, 0 FROM contents WHERE id >= (SELECT next_content FROM meta)", content: true,
		mend: &raiseCounters},
	{what: "has an id that was not given yet",
		query: "SELECT account, 'vault ' || id, id, 0 FROM vault WHERE id >= (SELECT next_vault FROM meta)",
		mend:  &raiseCounters},

	{what: "refers to a content that does not exist",
		query: "SELECT " + accountOf("mailbox") + `, 'mailbox ' || mailbox || ' uid ' || uid, mailbox, uid FROM messages
			WHERE content NOT IN (SELECT id FROM contents)`,
		mend: &takeMessages},
	{what: "refers to a content that does not exist",
		query: "SELECT account, 'vault ' || id, account, id FROM vault WHERE content NOT IN (SELECT id FROM contents)",
		mend:  &takeVaulted},
	{what: "refers to a content that does not exist",
		query: "SELECT 0, 'queue item ' || id, id, 0 FROM queue WHERE content NOT IN (SELECT id FROM contents)",
		mend:  &takeQueued},
	{what: "has no envelope or body structure",
		query: "SELECT " + accountOf("m.mailbox") + `, 'mailbox ' || m.mailbox || ' uid ' || m.uid, c.id, 0 FROM messages m JOIN contents c ON c.id = m.content
			WHERE c.envelope IS NULL OR c.structure IS NULL`,
		mend: &computeContents},
	{what: "has not the size of its content",
		query: `SELECT v.account, 'vault ' || v.id, v.account, v.id FROM vault v JOIN contents c ON c.id = v.content WHERE v.size <> c.length`,
		mend:  &sizeVaulted},
	{what: "has not the size of its content",
		query: "SELECT " + accountOf("m.mailbox") + `, 'mailbox ' || m.mailbox || ' uid ' || m.uid, m.mailbox, m.uid FROM messages m
			JOIN contents c ON c.id = m.content WHERE m.size <> c.length`,
		mend: &sizeMessages},
	{what: "counts its references wrong", content: true,
		query: `SELECT 0, 'content ' || c.id, c.id, 0 FROM contents c
			LEFT JOIN (SELECT content, COUNT(*) n FROM messages GROUP BY content) m ON m.content = c.id
			LEFT JOIN (SELECT content, COUNT(*) n FROM queue GROUP BY content) q ON q.content = c.id
			LEFT JOIN (SELECT content, COUNT(*) n FROM vault GROUP BY content) v ON v.content = c.id
			WHERE c.refs <> COALESCE(m.n, 0) + COALESCE(q.n, 0) + COALESCE(v.n, 0)`,
		mend: &countReferences},
	{what: "lies where another content lies", content: true,
		query: "SELECT 0, 'content ' || MAX(id), MAX(id), 0 FROM contents GROUP BY segment, offset HAVING COUNT(*) > 1"},
	{what: "lies behind the acknowledged end of the log", content: true,
		query: `SELECT 0, 'content ' || c.id, c.id, 0 FROM contents c
			JOIN meta ON c.segment > meta.segment OR c.segment = meta.segment AND c.offset >= meta.offset`},

	{what: "has a UID that was not given yet",
		query: "SELECT " + accountOf("m.mailbox") + `, 'mailbox ' || m.mailbox || ' uid ' || m.uid, m.mailbox, m.uid FROM messages m
			JOIN mailbox_state s ON s.mailbox = m.mailbox WHERE m.uid >= s.uid_next OR m.uid < 1`,
		mend: &giveUIDs},
	{what: "vanished and is still there",
		query: "SELECT " + accountOf("v.mailbox") + `, 'mailbox ' || v.mailbox || ' uid ' || v.uid, v.mailbox, v.uid FROM vanished v
			WHERE EXISTS (SELECT 1 FROM messages m WHERE m.mailbox = v.mailbox AND m.uid = v.uid)`,
		mend: &forgetVanishedUIDs},
	{what: "vanished and never was",
		query: "SELECT " + accountOf("v.mailbox") + `, 'mailbox ' || v.mailbox || ' uid ' || v.uid, v.mailbox, v.uid FROM vanished v
			JOIN mailbox_state s ON s.mailbox = v.mailbox WHERE v.uid >= s.uid_next OR v.modseq > s.modseq`,
		mend: &giveUIDs},
	{what: "came before one with a lower UID",
		query: "SELECT " + accountOf("mailbox") + `, 'mailbox ' || mailbox || ' uid ' || uid, mailbox, uid FROM
			(SELECT mailbox, uid, added, LAG(added) OVER (PARTITION BY mailbox ORDER BY uid) before FROM messages) WHERE added <= before`,
		mend: &renumber},
	{what: "changed before it came",
		query: "SELECT " + accountOf("mailbox") + `, 'mailbox ' || mailbox || ' uid ' || uid, mailbox, uid FROM messages WHERE modseq < added OR modseq < 1`,
		mend:  &renumber},
	{what: "has a modseq above its mailbox's",
		query: "SELECT " + accountOf("m.mailbox") + `, 'mailbox ' || m.mailbox || ' uid ' || m.uid, m.mailbox, m.uid FROM messages m
			JOIN mailbox_state s ON s.mailbox = m.mailbox WHERE m.modseq > s.modseq`,
		mend: &raiseModSeqs},
	{what: "have a modseq above their mailbox's",
		query: "SELECT " + accountOf("p.mailbox") + `, 'postponed flags of mailbox ' || p.mailbox, p.mailbox, 0 FROM postponed p
			JOIN mailbox_state s ON s.mailbox = p.mailbox GROUP BY p.mailbox HAVING MAX(p.modseq) > s.modseq`,
		mend: &raiseModSeqs},
	{what: "has a floor above its modseq",
		query: "SELECT " + accountOf("mailbox") + ", 'mailbox ' || mailbox, mailbox, 0 FROM mailbox_state WHERE floor > modseq",
		mend:  &raiseModSeqs},
	{what: "has a modseq above its account's",
		query: `SELECT b.account, 'mailbox ' || b.id, b.id, 0 FROM mailboxes b JOIN mailbox_state s ON s.mailbox = b.id
			JOIN account_state a ON a.account = b.account WHERE s.modseq > a.modseq`,
		mend: &raiseModSeqs},
	{what: "has vanished messages below its floor",
		query: "SELECT " + accountOf("mailbox") + `, 'mailbox ' || mailbox, mailbox, 0 FROM mailbox_state s
			WHERE EXISTS (SELECT 1 FROM vanished v WHERE v.mailbox = s.mailbox AND v.modseq <= s.floor)`,
		mend: &forgetBelowFloor},

	{what: "counts its vanished messages wrong",
		query: "SELECT " + accountOf("s.mailbox") + `, 'mailbox ' || s.mailbox, s.mailbox, 0 FROM mailbox_state s
			LEFT JOIN (SELECT mailbox, COUNT(*) n FROM vanished GROUP BY mailbox) v ON v.mailbox = s.mailbox WHERE s.vanished <> COALESCE(v.n, 0)`,
		mend: &countMailboxes},
	{what: "counts its messages wrong",
		query: "SELECT " + accountOf("s.mailbox") + `, 'mailbox ' || s.mailbox, s.mailbox, 0 FROM mailbox_state s
			LEFT JOIN (SELECT mailbox, COUNT(*) n, SUM(size) size, SUM(flags & 1 = 0) unseen, SUM(flags & 8 <> 0) deleted
			  FROM messages GROUP BY mailbox) m ON m.mailbox = s.mailbox
			WHERE (s.messages, s.size) <> (COALESCE(m.n, 0), COALESCE(m.size, 0))
			  OR (s.unseen, s.deleted) <> (COALESCE(m.unseen, 0), COALESCE(m.deleted, 0))
			  AND s.mailbox NOT IN (SELECT mailbox FROM postponed)`,
		mend: &countMailboxes},
	{what: "counts its mailboxes wrong",
		query: `SELECT s.account, 'account ' || s.account, s.account, 0 FROM account_state s
			WHERE s.mailboxes <> (SELECT COUNT(*) FROM mailboxes m WHERE m.account = s.account)`,
		mend: &countAccounts},
	{what: "counts its messages or bytes wrong",
		query: `SELECT s.account, 'account ' || s.account, s.account, 0 FROM account_state s
			LEFT JOIN (SELECT b.account, SUM(bs.messages) n, SUM(bs.size) size
			  FROM mailboxes b JOIN mailbox_state bs ON bs.mailbox = b.id GROUP BY b.account) m ON m.account = s.account
			WHERE (s.messages, s.used) <> (COALESCE(m.n, 0), COALESCE(m.size, 0))`,
		mend: &countAccounts},
	{what: "has mailboxes but not one INBOX",
		query: "SELECT account, 'account ' || account, account, 0 FROM mailboxes GROUP BY account HAVING SUM(name = 'INBOX') <> 1",
		mend:  &makeInbox},

	{what: "has no account",
		query: "SELECT account, 'vault ' || id, account, id FROM vault WHERE account NOT IN (SELECT id FROM accounts)"},
	{what: "has no account",
		query: "SELECT account, 'subscription to ' || name, account, 0 FROM subscriptions WHERE account NOT IN (SELECT id FROM accounts)",
		mend:  &dropSubscriptions},
	{what: "has no account",
		query: "SELECT account, 'annotation ' || name, account, 0 FROM metadata WHERE account <> 0 AND account NOT IN (SELECT id FROM accounts)",
		mend:  &dropAnnotations},
	{what: "is on no mailbox",
		query: "SELECT 0, 'rights of ' || identifier, mailbox, 0 FROM acl WHERE mailbox NOT IN (SELECT id FROM mailboxes)",
		mend:  &dropRights},
	{what: "is on no mailbox",
		query: "SELECT 0, 'annotation ' || name, mailbox, 0 FROM metadata WHERE mailbox <> 0 AND mailbox NOT IN (SELECT id FROM mailboxes)",
		mend:  &dropMailboxAnnotations},
	{what: "was delivered to no account",
		query: "SELECT account, 'delivery ' || id, id, 0 FROM delivered WHERE account NOT IN (SELECT id FROM accounts)",
		mend:  &dropDeliveries},
}
