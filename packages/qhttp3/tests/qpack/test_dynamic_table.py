from qhttp3.qpack.dynamic_table import DynamicTable


def field(number: int) -> tuple[bytes, bytes]:
    return b"name-%03d" % number, b"value"  # 45 bytes as an entry


def test_entries_are_evicted_from_the_old_end() -> None:  # RFC 9204 §3.2.2
    table = DynamicTable(100)
    for number in range(5):
        table.insert(field(number))

    assert 90 == table.size
    assert 5 == table.inserted
    assert 3 == table.oldest()
    assert [None, None, None] == [table.get(index) for index in range(3)]
    entry = table.get(4)
    assert entry is not None
    assert field(4) == entry.field
    assert table.get(5) is None


def test_an_entry_larger_than_the_table_changes_nothing() -> None:
    table = DynamicTable(50)
    table.insert(field(0))

    assert table.insert((b"n" * 19, b"")) is None
    assert 45 == table.size


def test_a_smaller_capacity_evicts() -> None:  # RFC 9204 §3.2.3
    table = DynamicTable(1000)
    for number in range(10):
        table.insert(field(number))
    table.set_capacity(100)

    assert 90 == table.size
    assert 8 == table.oldest()
    table.set_capacity(0)
    assert 0 == table.size
    assert 10 == table.oldest()


def test_indices_stay_true_over_many_evictions() -> None:
    table = DynamicTable(450)
    for number in range(5000):
        table.insert((b"name-%04d" % number, b"valu"))

    assert 4990 == table.oldest()
    for number in range(4990, 5000):
        entry = table.get(number)
        assert entry is not None
        assert (b"name-%04d" % number, number) == (entry.field[0], entry.index)
