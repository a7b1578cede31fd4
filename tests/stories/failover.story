# The holder dies, and somebody else grants within a second or so. Who has a seat notices nothing.

office 5 desktops seats 2 ttl 15s
> 3 voters, 2 standbys, 0 spares
call Old the holder
call Desk a standby
checkout eva@Desk as a
> granted
kill Old
checkout jan@Desk as b within 2s
> granted
show Old
> voter, off
wait 20s
show seats
> 2 of 2 taken in the books; used by a, b

# A checkout that was under way when the holder died is answered by the next one.
start Old
await 3 voters within 10s
> yes
end b
await 1 free within 2s
> yes
call Next the holder
stall Next for 30s
ask ola@Desk as c
await c has a seat within 5s
> yes
show seats
> 2 of 2 taken in the books; used by a, c
