package order

// forest is a set of rooted trees that are linked and cut and asked for their roots, each in logarithmic time: link-cut
// trees (Sleator and Tarjan, 1983). Paths from a root downwards lie in splay trees, ordered by depth. Node 0 means none.
type forest []splayNode

type splayNode struct {
	child  [2]int32 // nearer to the root, further down
	parent int32    // in the splay tree; of its top, the node that the path hangs on
}

func (f forest) isTop(v int32) bool {
	p := f[v].parent
	return p == 0 || f[p].child[0] != v && f[p].child[1] != v
}

func (f forest) side(v int32) int {
	if f[f[v].parent].child[1] == v {
		return 1
	}
	return 0
}

func (f forest) rotate(v int32) {
	p := f[v].parent
	side, grand := f.side(v), f[p].parent
	if !f.isTop(p) {
		f[grand].child[f.side(p)] = v
	}
	inner := f[v].child[1-side]
	f[v].child[1-side], f[v].parent = p, grand
	f[p].child[side], f[p].parent = inner, v
	if inner != 0 {
		f[inner].parent = p
	}
}

func (f forest) splay(v int32) {
	for !f.isTop(v) {
		if p := f[v].parent; !f.isTop(p) {
			if f.side(p) == f.side(v) {
				f.rotate(p)
			} else {
				f.rotate(v)
			}
		}
		f.rotate(v)
	}
}

// access makes the path from the root to v one splay tree with v at its top and its end.
func (f forest) access(v int32) {
	f.splay(v)
	f[v].child[1] = 0
	for f[v].parent != 0 {
		p := f[v].parent
		f.splay(p)
		f[p].child[1] = v
		f.splay(v)
	}
}

// root returns the root of the tree that v is in.
func (f forest) root(v int32) int32 {
	f.access(v)
	for f[v].child[0] != 0 {
		v = f[v].child[0]
	}
	f.splay(v)
	return v
}

// link makes v, the root of a tree, a child of p, which is in another tree.
func (f forest) link(v, p int32) {
	f.splay(v)
	f[v].parent = p
}

// cut takes v, which is not a root, and what is below it from its parent.
func (f forest) cut(v int32) {
	f.access(v)
	f[f[v].child[0]].parent = 0
	f[v].child[0] = 0
}
