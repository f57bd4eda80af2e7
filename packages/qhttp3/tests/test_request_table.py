from qhttp3.request_table import RequestTable


def test_ids_are_new_once_in_any_order() -> None:
    table = RequestTable()
    for stream_id in (8, 0, 20, 4):
        assert table.is_new(stream_id)
        table.note(stream_id)
        assert not table.is_new(stream_id)

    assert 24 == table.next_id
    assert [12, 16, 24] == [stream_id for stream_id in range(0, 28, 4) if table.is_new(stream_id)]
