package flow

import "slices"

// Change is what a rule does to one field of a header.
type Change struct {
	Operation Operation
	// Name is as whoever made the change writes it, Key the same in lower case. HTTP/2 writes all names like that.
	Name, Key, Value string
}

// Operation is a kind of change.
type Operation uint8

// Set takes the place of all fields of a name, Add comes to them, Remove takes them away.
const (
	Set Operation = iota
	Add
	Remove
)

// Apply makes changes to fields, in their order, in place where there is room.
func Apply(fields []Field, changes []Change) []Field {
	for i := range changes {
		c := &changes[i]
		if c.Operation != Add {
			fields = slices.DeleteFunc(fields, func(f Field) bool { return Named(f.Name, c.Key) })
		}
		if c.Operation != Remove {
			fields = append(fields, Field{Name: c.Name, Value: c.Value})
		}
	}
	return fields
}
