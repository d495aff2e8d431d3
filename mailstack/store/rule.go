package store

import (
	"context"
	"fmt"

	"gouv.tg/messagerie/mailstack/store/database"
)

// rule is a query that must find nothing. The columns of what it finds are the account (0 or NULL: none), where the problem
// is, and two keys for mend.
type rule struct {
	what, query string
	content     bool // the first key is a content: whose it is the query does not know
	mend        *mend
}

// finding is a problem, and the keys with which it is mended.
type finding struct {
	Problem
	keys [2]int64
}

// mend is what can be done about the findings of a rule.
type mend struct {
	text  string // says it to people
	takes bool   // it takes away mail whose bytes are lost
	do    func(ctx context.Context, s *Store, list []finding) error
}

// find yields what the rule finds, for one account or for all.
func (r *rule) find(db *database.Conn, account AccountID, yield func(finding) error) error {
	sql := "WITH found (account, place, a, b) AS (" + r.query + ") SELECT account, place, a, b FROM found"
	var args []any
	switch {
	case account == 0:
	case r.content:
		sql, args = sql+" WHERE a IN ("+contentsOf+")", []any{int64(account), int64(account)}
	default:
		sql, args = sql+" WHERE account = ?", []any{int64(account)}
	}
	err := db.Each(func(row *database.Rows) error {
		return yield(finding{Problem{AccountID(row.Int(0)), row.Text(1), r.what}, [2]int64{row.Int(2), row.Int(3)}})
	}, sql, args...)
	if err != nil {
		return fmt.Errorf("%q: %w", r.what, err)
	}
	return nil
}
