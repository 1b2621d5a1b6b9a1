-- A row that fits on a page stays whole: what is over 2 KB would be compressed and, if that is not enough, go piece by
-- piece to a table beside, with an index of its own, for a tenth of an import's work and hardly any space.

ALTER TABLE sample SET (toast_tuple_target = 8160);
ALTER TABLE message SET (toast_tuple_target = 8160);
ALTER TABLE sample_attachment SET (toast_tuple_target = 8160);
ALTER TABLE event SET (toast_tuple_target = 8160);
ALTER TABLE message_pool SET (toast_tuple_target = 8160);
ALTER TABLE model_call_pool SET (toast_tuple_target = 8160);
