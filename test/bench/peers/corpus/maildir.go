package corpus

import (
	"fmt"
	"os"
	"path/filepath"
)

// WriteMaildir writes the messages from 0 to n-1 as a Maildir, all of them unread, readable for every user.
func (c *Corpus) WriteMaildir(folder string, n int) error {
	for _, name := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o755); err != nil {
			return err
		}
	}
	for number := range n {
		text := c.Message(number)
		name := fmt.Sprintf("%d.M%dP1.bench,S=%d:2,", 1783324800+number, number%1_000_000, len(text))
		if err := os.WriteFile(filepath.Join(folder, "cur", name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
