package fulltext

import (
	"encoding/binary"

	"gouv.tg/messagerie/mailstack/store/database"
)

// checkpointAfter is how many rows are changed, of about a kilobyte, before they are moved from beside the file into it.
const checkpointAfter = 4096

// unknown returns those of the contents that are not indexed yet.
func (f *file) unknown(contents []int64) []int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []int64
	for _, id := range contents {
		if _, found := f.find(id); !found {
			list = append(list, id)
		}
	}
	return list
}

// add writes signatures, all or none of them. Those of contents that are indexed change nothing.
func (f *file) add(list []row) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := addition{f: f, waiting: f.waiting, moved: make(map[int64]place)}
	if err := f.transact(func() error { return a.run(list) }); err != nil {
		return err
	}
	if a.restored {
		return f.load()
	}
	f.waiting = a.waiting
	for _, id := range a.blocks {
		f.logs[id.block] = id.log
	}
	ordered := true
	for _, id := range a.fresh {
		ordered = f.put(id, place{}) && ordered
	}
	if !ordered {
		f.sort()
	}
	for id, at := range a.moved {
		f.put(id, at)
	}
	return nil
}

// addition is what a transaction of add will have changed.
type addition struct {
	f        *file
	waiting  [maxLog + 1]int
	fresh    []int64         // contents that were not indexed
	moved    map[int64]place // contents that went into blocks
	blocks   []newBlock
	restored bool // contents that were gone are there again
}

type newBlock struct {
	block uint32
	log   int
}

func (a *addition) run(list []row) error {
	seen := make(map[int64]bool, len(list))
	for _, r := range list {
		if _, found := a.f.find(r.content); found || seen[r.content] {
			continue
		}
		seen[r.content] = true
		if a.f.gone[r.content] { // the content of an id never changes, so its signature is still right
			a.restored = true
			if _, err := a.f.db.Exec("DELETE FROM gone WHERE content = ?", r.content); err != nil {
				return err
			}
			continue
		}
		log := 0
		if len(r.signature) > 0 {
			log, _ = logSize(r.signature)
		}
		_, err := a.f.db.Exec("INSERT INTO waiting (content, log, signature) VALUES (?, ?, ?)", r.content, log, seal(r.content, r.signature))
		if err != nil {
			return err
		}
		a.fresh = append(a.fresh, r.content)
		a.waiting[log]++
	}
	for log := minLog; log <= maxLog; log++ {
		for a.waiting[log] >= rows(log) {
			if err := a.fill(log); err != nil {
				return err
			}
			a.waiting[log] -= rows(log)
		}
	}
	return nil
}

// fill makes a block of signatures that wait.
func (a *addition) fill(log int) error {
	var ids []int64
	var signatures [][]byte
	err := a.f.db.Each(func(r *database.Rows) error {
		signature, err := unseal(r.Int(0), r.Blob(1))
		if n, ok := logSize(signature); err == nil && (!ok || n != log) {
			err = errDamaged
		}
		ids, signatures = append(ids, r.Int(0)), append(signatures, signature)
		return err
	}, "SELECT content, signature FROM waiting WHERE log = ? ORDER BY content LIMIT ?", log, rows(log))
	if err == nil && len(ids) < rows(log) {
		err = errDamaged
	}
	if err != nil {
		return err
	}
	var contents []byte
	last := int64(0)
	for _, id := range ids {
		contents = binary.AppendUvarint(contents, uint64(id-last))
		last = id
		if _, err := a.f.db.Exec("DELETE FROM waiting WHERE content = ?", id); err != nil {
			return err
		}
	}
	var block int64
	if _, err := a.f.db.Row(func(r *database.Rows) { block = r.Int(0) + 1 }, "SELECT COALESCE(MAX(id), 0) FROM blocks"); err != nil {
		return err
	}
	_, err = a.f.db.Exec("INSERT INTO blocks (id, log, contents) VALUES (?, ?, ?)", block, log, seal(blockKey(block, log), contents))
	if err != nil {
		return err
	}
	turned := turn(signatures, log)
	var sealed []byte
	for group := range groups {
		id := block*groups + int64(group)
		sealed = seal(id, append(sealed[:0], turned[group*groupBytes:(group+1)*groupBytes]...))
		if _, err := a.f.db.Exec("INSERT INTO bits (id, bits) VALUES (?, ?)", id, sealed); err != nil {
			return err
		}
	}
	a.blocks = append(a.blocks, newBlock{uint32(block), log})
	for i, id := range ids {
		a.moved[id] = place{uint32(block), uint32(i)}
	}
	return nil
}

// remove forgets contents. The bits of those in blocks stay there, with nothing that leads to them.
func (f *file) remove(contents []int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.transact(func() error {
		for _, id := range contents {
			at, found := f.find(id)
			if !found {
				continue
			}
			sql := "DELETE FROM waiting WHERE content = ?"
			if at.block != 0 {
				sql = "INSERT OR IGNORE INTO gone VALUES (?)"
			}
			if _, err := f.db.Exec(sql, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return f.load()
}

// emptied tells that most of the signatures belong to contents that are gone.
func (f *file) emptied() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.gone) > 1000+len(f.ids)
}

// transact runs a transaction, and moves the changes into the file when there are many.
func (f *file) transact(change func() error) error {
	if f.db == nil {
		return errDamaged
	}
	err := f.db.Control("BEGIN IMMEDIATE")
	if err != nil {
		return err
	}
	if err = change(); err == nil {
		err = f.db.Control("COMMIT")
	}
	if err != nil {
		// The first error is the one to tell. What cannot be undone now is undone when the file is opened again.
		_ = f.db.Control("ROLLBACK")
		return err
	}
	if f.db.Writes()-f.checkpointed < checkpointAfter {
		return nil
	}
	f.checkpointed = f.db.Writes()
	_, _, err = f.db.Checkpoint()
	return err
}
