package rules

// buildCIDR builds cidr and cidr6, which leave IPv4 addresses as they are.
func buildCIDR(c *compiler, n *callNode, args []operand) (expr, error) {
	bits4, bits6 := int64(32), integer(args, len(args)-1, 0)
	if n.name == "cidr" {
		bits4 = integer(args, 1, 0)
	}
	if bits4 < 1 || bits4 > 32 {
		return nil, c.errorf(n.args[1], "IPv4 bits have to be from 1 to 32")
	}
	if bits6 < 1 || bits6 > 128 {
		return nil, c.errorf(n.args[len(n.args)-1], "IPv6 bits have to be from 1 to 128")
	}
	return newCall(func(_ *Machine, args []Value) Value {
		v := args[0]
		if v.num.is4() {
			v.num = v.num.mask(96 + int(bits4))
		} else {
			v.num = v.num.mask(int(bits6))
		}
		return v
	}, args[0]), nil
}
