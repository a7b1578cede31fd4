# Waiting for a seat: who asked first is next, whoever asks meanwhile.

office 5 desktops seats 1 ttl 15s
> 3 voters, 2 standbys, 0 spares
call Old the holder
call Desk a standby
call Other a standby
call Near a voter
call Far a voter
checkout eva@Desk as a
> granted
checkout jan@Near as b waiting
> waits, in place 1
checkout ola@Far as c waiting
> waits, in place 2
show queue
> b, c
checkout max@Other as d
> refused: all 1 seats of example-cad are in use: eva on Desk, and 2 wait before you
end a
await b has a seat within 1s
> yes
show queue
> c
wait 1s
show c
> waits, in place 1

# The holder dies and another takes over: everybody keeps his place.
checkout ida@Desk as e waiting
> waits, in place 2
kill Old
await holder besides Old within 3s
> yes
wait 20s
show queue
> c, e
end b
await c has a seat within 2s
> yes
wait 1s
show e
> waits, in place 1

# Who is out of contact is passed over. He keeps his place, and is the first again when he is back.
office 5 desktops seats 1 ttl 30s
> 3 voters, 2 standbys, 0 spares
call Desk a standby
call Other a standby
call Near a voter
call Far a voter
checkout ola@Far as a
> granted
checkout ida@Desk as b waiting
> waits, in place 1
checkout pia@Near as c waiting
> waits, in place 2
show queue
> b, c
partition Desk
wait 12s
show queue
> b (passed over), c
end a
await c has a seat within 1s
> yes
heal
wait 8s
show queue
> b
checkout tom@Other as d waiting
> waits, in place 2
show queue
> b, d
end c
await b has a seat within 1s
> yes
show queue
> d

# Who crashes just when it is his turn holds the others up for a while, and no longer.
checkout uli@Near as e waiting
> waits, in place 2
power cut Other
end b
wait 4s
show seats
> 0 of 1 taken in the books; used by nobody
await e has a seat within 8s
> yes
show queue
> somebody (passed over)
wait 25s
show queue
> nobody waits

# A waiting program keeps its place when the agent of its machine comes back soon. Who gives up leaves the queue.
checkout eva@Desk as f waiting
> waits, in place 1
checkout jan@Far as g waiting
> waits, in place 2
checkout max@Near as h waiting
> waits, in place 3
show queue
> f, g, h
kill Far
end f
start Far
wait 8s
show queue
> g, h
show g
> waits, in place 1
end e
await g has a seat within 1s
> yes
show seats
> 1 of 1 taken in the books; used by g
