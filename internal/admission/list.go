package admission

// list is a doubly linked list whose elements are parts of what they link, so that moving things about allocates nothing.
// The zero value is empty.
type list[T any] struct {
	first, last *element[T]
}

// element is a place in a list; value is what it is a part of.
type element[T any] struct {
	prev, next *element[T]
	value      *T
}

func (l *list[T]) empty() bool { return l.first == nil }

// front returns the first value, or nil.
func (l *list[T]) front() *T {
	if l.first == nil {
		return nil
	}
	return l.first.value
}

// back returns the last value, or nil.
func (l *list[T]) back() *T {
	if l.last == nil {
		return nil
	}
	return l.last.value
}

func (l *list[T]) pushBack(e *element[T])  { l.insertAfter(e, l.last) }
func (l *list[T]) pushFront(e *element[T]) { l.insertAfter(e, nil) }

// insertAfter puts e behind at, or first if at is nil.
func (l *list[T]) insertAfter(e, at *element[T]) {
	e.prev, e.next = at, l.first
	if at != nil {
		e.next = at.next
		at.next = e
	} else {
		l.first = e
	}
	if e.next != nil {
		e.next.prev = e
	} else {
		l.last = e
	}
}

func (l *list[T]) remove(e *element[T]) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		l.first = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		l.last = e.prev
	}
	e.prev, e.next = nil, nil
}
